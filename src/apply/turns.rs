//! Turns: how many hosts at a time are at steps of a group. `plan::limit` says how long a turn lasts and why hosts never wait for
//! each other for ever.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::event::{Event, Failure};
use crate::plan::{Limits, Step, StepHead};

use super::{NOTICEABLE, Run, failure};

/// The steps that are counted together.
#[derive(Debug)]
struct Group {
    name: String,
    places: Arc<Semaphore>,
    breaker: bool,
    /// The first host that failed while it had a turn.
    failed: OnceLock<String>,
}

/// All groups of a run.
#[derive(Debug)]
pub(super) struct Groups(BTreeMap<String, Arc<Group>>);

/// A host does not begin in a group, as another has failed there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GroupStopped {
    pub(super) group: String,
    pub(super) failed: String,
}

/// A place in a group. Whoever loses it without giving it back has failed.
#[derive(Debug)]
struct Turn {
    group: Arc<Group>,
    host: String,
    given_back: bool,
    _place: OwnedSemaphorePermit,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.group.breaker && !self.given_back {
            // Only the first is told.
            let _ = self.group.failed.set(self.host.clone());
            self.group.places.close();
        }
    }
}

impl Groups {
    pub(super) fn new(limits: &Limits) -> Self {
        let group = |(name, (at, breaker)): (&String, &(usize, bool))| {
            let group = Group {
                name: name.clone(),
                places: Arc::new(Semaphore::new((*at).min(Semaphore::MAX_PERMITS))),
                breaker: *breaker,
                failed: OnceLock::new(),
            };
            (name.clone(), Arc::new(group))
        };
        Self(limits.0.iter().map(group).collect())
    }
}

impl Group {
    async fn take(self: Arc<Self>, host: &str) -> Result<Turn, GroupStopped> {
        let Ok(place) = self.places.clone().acquire_owned().await else {
            return Err(GroupStopped {
                group: self.name.clone(),
                failed: self.failed.get().cloned().unwrap_or_default(),
            });
        };
        Ok(Turn {
            group: self,
            host: host.to_owned(),
            given_back: false,
            _place: place,
        })
    }
}

/// The turn that a host has, one at the most.
#[derive(Debug)]
pub(super) struct Turns {
    host: String,
    /// The last step of each group in the track.
    ends: BTreeMap<String, usize>,
    held: Option<Turn>,
}

impl Turns {
    pub(super) fn new(host: &str, steps: &[Step]) -> Self {
        let steps = steps.iter().enumerate();
        let ends = steps.filter_map(|(position, step)| Some((step.head().group()?.to_owned(), position)));
        Self {
            host: host.to_owned(),
            ends: ends.collect(),
            held: None,
        }
    }

    /// Gives the turn back when its last step is behind: the track has come to the step at `position`.
    pub(super) fn leave(&mut self, position: usize) {
        let is_over = |turn: &mut Turn| self.ends.get(&turn.group.name).is_none_or(|end| *end < position);
        if let Some(mut turn) = self.held.take_if(is_over) {
            turn.given_back = true;
        }
    }

    /// Waits for the turn of a step that is about to be changed; says whether it was taken now.
    ///
    /// # Errors
    /// When a host has failed in the group, or the run was asked to stop.
    pub(super) async fn enter(
        &mut self,
        run: &Run,
        head: &StepHead,
        position: usize,
    ) -> Result<bool, Failure> {
        self.leave(position);
        let Some(group) = head.group() else {
            return Ok(false);
        };
        if self.held.is_some() {
            return Ok(false);
        }
        let Some(counted) = run.groups.0.get(group).cloned() else {
            return Ok(false);
        };
        let mut taking = std::pin::pin!(counted.take(&self.host));
        let taken = if let Ok(taken) = tokio::time::timeout(NOTICEABLE, &mut taking).await {
            taken
        } else {
            run.events.send(Event::Waiting {
                place: self.host.clone(),
                step: head.name.clone(),
                on: format!("a turn in group `{group}`"),
            });
            taking.await
        };
        // Meanwhile, the run may have been asked to stop.
        if run.stopping() {
            return Err(failure::stopped());
        }
        self.held = Some(taken.map_err(|stopped| failure::group_stopped(&stopped))?);
        Ok(true)
    }
}
