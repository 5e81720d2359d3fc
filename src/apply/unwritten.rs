//! The end of a host's track that may not write: in a plan, and outside of `--limit`.

use crate::event::Event;
use crate::observe::{self, StepState};
use crate::resource::Change;

use super::host_track::{HostTrackRun, StepCounts, Stopped};
use super::{RunMode, failure};

impl HostTrackRun<'_> {
    /// The end of a track that may not write: its changes are reported in the order of its steps, and the milestones that they would make
    /// will not come. A step by requests behind one that can't be asked is not asked; steps on the host have all been seen.
    pub(super) async fn end_without_writing(
        &mut self,
        mut found: Vec<StepState>,
    ) -> Result<StepCounts, Stopped> {
        observe::foresee(&self.steps, &mut found);
        self.give_up_unsettled(&found);
        let mut tally = StepCounts::default();
        let mut stopped = self.first_refusal(&found);
        for (index, found) in found.iter().enumerate() {
            self.pass_unless(&mut stopped, index).await;
            let planned = found.change().filter(|_| self.run.options.mode == RunMode::Plan);
            if let Some(change) = planned {
                self.tell_change(index, change);
            }
            tally.add(planned.is_some());
        }
        self.pass_unless(&mut stopped, self.steps.len()).await;
        if let Some(stopped) = stopped {
            return Err(stopped);
        }
        let passed = self.gates.tally();
        tally.changed += passed.changed;
        tally.unchanged += passed.unchanged;
        Ok(tally)
    }

    /// Passes the steps by requests that stand before the step at `index`, unless the track has stopped.
    async fn pass_unless(&mut self, stopped: &mut Option<Stopped>, index: usize) {
        if stopped.is_none() {
            *stopped = self.pass(index).await.err();
        }
    }

    fn tell_change(&self, index: usize, change: &Change) {
        self.run.events.send(Event::StepStarted {
            place: self.name.to_owned(),
            step: self.steps[index].head.name.clone(),
            summary: change.summary.clone(),
            detail: change.detail.clone(),
        });
    }

    /// The failure of a plan whose step the program may not change.
    fn first_refusal(&self, found: &[StepState]) -> Option<Stopped> {
        if self.run.options.mode != RunMode::Plan {
            return None;
        }
        found.iter().enumerate().find_map(|(index, found)| match found {
            StepState::Refused(why) => Some(self.fail(index, failure::refused(&self.steps[index].head, why))),
            _ => None,
        })
    }

    fn give_up_unsettled(&self, found: &[StepState]) {
        let reason = if self.run.options.mode == RunMode::Plan {
            format!("known after apply on {}", self.name)
        } else {
            format!("{} is not in --limit", self.name)
        };
        let steps = self.steps.iter().zip(found);
        for (step, _) in steps.filter(|(_, found)| **found != StepState::InSync) {
            for milestone in &step.head.provides {
                self.run.give_up(self.name, milestone, &reason);
            }
        }
    }
}
