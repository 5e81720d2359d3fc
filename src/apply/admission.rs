//! Whether a host that isn't a node may be changed: somebody outside of the engine has a say.

use futures::future::BoxFuture;

use crate::event::Failure;
use crate::observe::StepState;
use crate::resource::{HostState, NodeState};

use super::RunMode;
use super::host_track::{HostTrackRun, StepCounts, Stopped};

/// Has a say before the first change of a host that is about to become a node.
pub trait Admission: std::fmt::Debug + Send + Sync {
    /// Whether the host may be changed; if not, why. In a plan, whether it might.
    fn admit<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<(), Failure>>;
}

/// The name of the step at which a host ends that is not admitted.
const STEP: &str = "preflight";

impl HostTrackRun<'_> {
    /// Whether the host is still to become a node.
    pub(super) fn is_newcomer(&self, seen: &HostState) -> bool {
        let node_states = self
            .steps
            .iter()
            .filter_map(|step| step.resource.node_state(seen));
        let mut newcomers = node_states.filter(|node_state| *node_state != NodeState::Member);
        newcomers.next().is_some()
    }

    /// The end of a track that may not write; in a plan, with what would keep an apply from beginning.
    pub(super) async fn end_as_planned(&mut self, found: Vec<StepState>) -> Result<StepCounts, Stopped> {
        let tally = self.end_without_writing(found).await?;
        if self.run.options.mode == RunMode::Plan {
            self.ask_admission().await?;
        }
        Ok(tally)
    }

    /// Asks once whether a host that isn't a node may be changed.
    pub(super) async fn ask_admission(&mut self) -> Result<(), Stopped> {
        let admission = self.run.options.admission.as_ref();
        let Some(admission) = admission.filter(|_| std::mem::take(&mut self.asks_admission)) else {
            return Ok(());
        };
        let admitted = admission.admit(self.name).await;
        admitted.map_err(|failure| (Some(STEP.to_owned()), failure))
    }
}
