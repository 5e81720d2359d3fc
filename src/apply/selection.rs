//! Which steps of a host can be changed in one go.

use std::collections::HashSet;

use crate::observe::StepState;
use crate::plan::HostStep;
use crate::resource::{ActionRequirement, Topic};

use super::milestones::Milestones;

/// From `first` on, the steps that differ, up to the first that has to wait, wants to know something, or whose observation
/// is stale by then. `found` begins with `first`. Steps of a batch belong to one group, or to none: others must not have to wait
/// for what comes with a turn, and no step may come along without its own.
pub(super) fn batch(
    steps: &[&HostStep],
    first: usize,
    found: &[StepState],
    milestones: &Milestones,
) -> Vec<usize> {
    let mut batch = vec![first];
    let group = steps[first].head.group();
    let mut touched: HashSet<Topic> = steps[first].resource.touches().into_iter().collect();
    for (step, (index, found)) in steps[first..].iter().zip((first..).zip(found)).skip(1) {
        let stale = step
            .resource
            .rests_on()
            .iter()
            .any(|topic| touched.contains(topic));
        match found {
            StepState::Differs(_) if !stale && is_free(step, milestones) && step.head.group() == group => {
                batch.push(index);
                touched.extend(step.resource.touches());
            }
            StepState::InSync if stale => touched.extend(step.resource.touches()),
            StepState::InSync | StepState::NotHere => {}
            StepState::Differs(_) | StepState::Refused(_) => break,
        }
    }
    batch
}

/// Whether a step needs nothing but the host.
fn is_free(step: &HostStep, milestones: &Milestones) -> bool {
    step.resource.wants() == ActionRequirement::Nothing && milestones.missing(&step.head.needs).is_empty()
}
