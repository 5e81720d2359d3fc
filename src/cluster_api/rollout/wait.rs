//! Waits for a workload or node within a limit of our own, and ends early where waiting is pointless.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::causes::{hopeless, stuck_pod};
use super::explanation::{Cause, Explanation};
use super::state::{RolloutTarget, state};
use crate::cluster_api::call::ApiCall;
use crate::cluster_api::client::Api;
use crate::cluster_api::error::ApiError;

/// How often causes are looked for while waiting.
pub(super) const LOOK: Duration = Duration::from_secs(5);
/// How long the API server may be away: it restarts while a control plane joins or is upgraded.
pub(super) const AWAY: Duration = Duration::from_secs(60);

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
    /// Something is wrong that more waiting would not fix.
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
    ///
    /// Changes nothing, with one exception: a broken pod of the version before that a stateful set would wait for
    /// for ever is deleted, as its documentation asks for.
    pub async fn wait(
        &self,
        target: &RolloutTarget,
        limit: Duration,
        mut progress: impl FnMut(&str) + Send,
    ) -> Result<(), RolloutError> {
        let mut wait = RolloutWait {
            api: self,
            target,
            limit,
            deadline: Instant::now() + limit,
            state: String::new(),
            answered: Instant::now(),
            looked: Instant::now(),
            bad_since: UnhealthySince::default(),
        };
        while !wait.round(&mut progress).await? {}
        Ok(())
    }
}

/// A wait under way, and what it remembers from one round to the next.
struct RolloutWait<'a> {
    api: &'a Api,
    target: &'a RolloutTarget,
    limit: Duration,
    deadline: Instant,
    /// The last state that was reported.
    state: String,
    /// When the API server last answered.
    answered: Instant,
    /// When causes were last looked for.
    looked: Instant,
    bad_since: UnhealthySince,
}

impl RolloutWait<'_> {
    /// Looks once, and returns when it is time to look again; `true` when all is ready.
    async fn round(&mut self, progress: &mut (impl FnMut(&str) + Send)) -> Result<bool, RolloutError> {
        let live = match self.api.read(&self.target.id()).await {
            Ok(live) => live,
            Err(e) if !e.may_heal() || self.answered.elapsed() > AWAY || self.late() => return Err(e.into()),
            Err(_) => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                return Ok(false);
            }
        };
        self.answered = Instant::now();
        let version = live
            .as_ref()
            .map(|live| live["metadata"]["resourceVersion"].clone());
        let state = state(self.target.kind, live.as_ref());
        if self.state != state.text {
            progress(&state.text);
            self.state = state.text;
        }
        if state.done {
            return Ok(true);
        }
        if self.late() || self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            self.look(live, progress).await?;
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        let path = watch_path(self.target, version.as_ref());
        self.api.await_event(&path, LOOK.min(left)).await;
        Ok(false)
    }

    fn late(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Looks for causes, and fails when one is hopeless or the deadline passed.
    async fn look(
        &mut self,
        live: Option<Value>,
        progress: &mut (impl FnMut(&str) + Send),
    ) -> Result<(), RolloutError> {
        let late = self.late();
        let related = match self.api.related(self.target, live).await {
            Ok(related) => related,
            // The next round asks again; only the end needs an answer.
            Err(e) if !late && e.may_heal() => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        if let Some(pod) = stuck_pod(&related).filter(|_| !late) {
            progress(&format!(
                "pod {pod} of the version before is broken: deleting it, so that it is replaced"
            ));
            let path = format!("/api/v1/namespaces/{}/pods/{pod}", self.target.namespace);
            self.api.json_opt(ApiCall::delete(path)).await?;
            return Ok(());
        }
        let mut explanation = related.explanation();
        let hopeless = self.bad_since.hopeless(&explanation.causes);
        if late || hopeless {
            self.api.add_logs(&mut explanation).await;
        }
        match (hopeless, late) {
            (true, _) => Err(RolloutError::Hopeless { explanation }),
            (false, true) => Err(RolloutError::TimedOut {
                limit: self.limit,
                explanation,
            }),
            (false, false) => Ok(()),
        }
    }
}

/// When each place was first seen in a state that does not heal.
#[derive(Default)]
pub(super) struct UnhealthySince(HashMap<String, Instant>);

impl UnhealthySince {
    pub(super) fn hopeless(&mut self, causes: &[Cause]) -> bool {
        let bad = |place: &String| causes.iter().any(|c| c.patience.is_some() && c.place == *place);
        self.0.retain(|place, _| bad(place));
        for cause in causes.iter().filter(|cause| cause.patience.is_some()) {
            self.0.entry(cause.place.clone()).or_insert_with(Instant::now);
        }
        let age = |cause: &Cause| self.0.get(&cause.place).map_or(Duration::ZERO, Instant::elapsed);
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
        let mut seen = UnhealthySince::default();
        assert!(!seen.hopeless(std::slice::from_ref(&bad)));
        std::thread::sleep(Duration::from_millis(40));
        assert!(!seen.hopeless(&[]));
        assert!(!seen.hopeless(std::slice::from_ref(&bad)));
        std::thread::sleep(Duration::from_millis(40));
        assert!(seen.hopeless(&[bad]));
    }
}
