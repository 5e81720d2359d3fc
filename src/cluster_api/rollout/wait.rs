//! Waits for a workload or node within a limit of our own, and ends early where waiting has no sense.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::causes::hopeless;
use super::explanation::{Cause, Explanation};
use super::state::{RolloutTarget, state};
use crate::cluster_api::client::Api;
use crate::cluster_api::error::ApiError;

/// How often causes are looked for while waiting.
const LOOK: Duration = Duration::from_secs(5);
/// How long the API server may be away: it restarts while a control plane joins or is upgraded.
const AWAY: Duration = Duration::from_secs(60);

/// Why a wait ended without success.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    /// The API server can't be asked.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The limit passed.
    #[error("not ready after {limit:?}\n{explanation}")]
    TimedOut {
        /// The limit.
        limit: Duration,
        /// What keeps it.
        explanation: Explanation,
    },
    /// Something is wrong that more waiting would not mend.
    #[error("will not become ready by waiting\n{explanation}")]
    Hopeless {
        /// What keeps it, the hopeless cause first.
        explanation: Explanation,
    },
}

impl Api {
    /// How far `target` is; `None` when it is ready.
    pub async fn unready(&self, target: &RolloutTarget) -> Result<Option<String>, ApiError> {
        let live = self.read(&target.id()).await?;
        let state = state(target.kind, live.as_ref());
        Ok((!state.done).then_some(state.text))
    }

    /// Waits until `target` is ready, at most `limit`; `progress` hears each new state, such as `1 of 3 pods ready`.
    pub async fn wait(
        &self,
        target: &RolloutTarget,
        limit: Duration,
        mut progress: impl FnMut(&str) + Send,
    ) -> Result<(), RolloutError> {
        let deadline = Instant::now() + limit;
        let mut seen = Seen::default();
        loop {
            let (live, version) = match self.read(&target.id()).await {
                Ok(live) => {
                    seen.answered = Instant::now();
                    let version = live.as_ref().map(|o| o["metadata"]["resourceVersion"].clone());
                    (live, version)
                }
                Err(e) if !e.may_heal() || seen.answered.elapsed() > AWAY || Instant::now() >= deadline => {
                    return Err(e.into());
                }
                Err(_) => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            let state = state(target.kind, live.as_ref());
            if seen.state != state.text {
                progress(&state.text);
                seen.state = state.text;
            }
            if state.done {
                return Ok(());
            }
            self.look(target, live, &mut seen, (deadline, limit)).await?;
            let path = watch_path(target, version.as_ref());
            let left = deadline.saturating_duration_since(Instant::now());
            self.await_event(&path, LOOK.min(left)).await;
        }
    }

    /// Looks for causes when it is time to, and fails when one is hopeless or the deadline passed.
    async fn look(
        &self,
        target: &RolloutTarget,
        live: Option<Value>,
        seen: &mut Seen,
        (deadline, limit): (Instant, Duration),
    ) -> Result<(), RolloutError> {
        let late = Instant::now() >= deadline;
        if !late && seen.looked.elapsed() < LOOK {
            return Ok(());
        }
        seen.looked = Instant::now();
        let mut explanation = match self.causes_of(target, live).await {
            Ok(explanation) => explanation,
            // The next round asks again; only the end needs an answer.
            Err(e) if !late && e.may_heal() => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        let hopeless = seen.hopeless(&explanation.causes);
        if late || hopeless {
            self.add_logs(&mut explanation).await;
        }
        match (hopeless, late) {
            (true, _) => Err(RolloutError::Hopeless { explanation }),
            (false, true) => Err(RolloutError::TimedOut { limit, explanation }),
            (false, false) => Ok(()),
        }
    }
}

/// What a wait remembers between two looks.
struct Seen {
    state: String,
    answered: Instant,
    looked: Instant,
    /// When each place was first seen in a state that does not heal.
    since: HashMap<String, Instant>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            state: String::new(),
            answered: Instant::now(),
            looked: Instant::now(),
            since: HashMap::new(),
        }
    }
}

impl Seen {
    fn hopeless(&mut self, causes: &[Cause]) -> bool {
        let bad = |place: &String| causes.iter().any(|c| c.patience.is_some() && c.place == *place);
        self.since.retain(|place, _| bad(place));
        for cause in causes.iter().filter(|cause| cause.patience.is_some()) {
            self.since.entry(cause.place.clone()).or_insert_with(Instant::now);
        }
        let age = |cause: &Cause| {
            self.since
                .get(&cause.place)
                .map_or(Duration::ZERO, Instant::elapsed)
        };
        hopeless(causes, age).is_some()
    }
}

fn watch_path(target: &RolloutTarget, version: Option<&Value>) -> String {
    let version = version.and_then(Value::as_str).unwrap_or("0");
    let (collection, name) = (target.collection(), &target.name);
    format!(
        "{collection}?watch=1&fieldSelector=metadata.name%3D{name}&resourceVersion={version}&timeoutSeconds=30"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_heals_in_between_starts_anew() {
        let mut bad = Cause::new("pod a", "CrashLoopBackOff");
        bad.patience = Some(Duration::from_millis(30));
        let mut seen = Seen::default();
        assert!(!seen.hopeless(std::slice::from_ref(&bad)));
        std::thread::sleep(Duration::from_millis(40));
        assert!(!seen.hopeless(&[]));
        assert!(!seen.hopeless(std::slice::from_ref(&bad)));
        std::thread::sleep(Duration::from_millis(40));
        assert!(seen.hopeless(&[bad]));
    }
}
