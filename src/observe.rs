//! Looking at a host: one script for all its steps, and what each step makes of the answer. Writes nothing.

use std::collections::HashSet;

use crate::plan::HostStep;
use crate::playbook::Guard;
use crate::resource::{Change, Comparison, HostState, Probe, Separator, Topic, Unreadable};

/// What a step's comparison came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepState {
    /// The step is not for this host.
    NotHere,
    /// Nothing to do.
    InSync,
    /// Something to do.
    Differs(Change),
    /// Nothing that the program may do.
    Refused(String),
}

impl StepState {
    /// Whether there is nothing to do for it.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::InSync | Self::NotHere)
    }

    /// The change, if there is one to make.
    pub fn change(&self) -> Option<&Change> {
        match self {
            Self::Differs(change) => Some(change),
            _ => None,
        }
    }
}

/// The script that looks at everything these steps ask about; `separator` parts its output.
pub fn script<'a>(steps: impl IntoIterator<Item = &'a HostStep>, separator: &Separator) -> String {
    let mut probe = Probe::default();
    for step in steps {
        if let Some(path) = &step.guard.exists {
            probe.path(path, None);
        }
        if let Some(unit) = &step.guard.active {
            probe.unit(unit);
        }
        step.resource.probe(&mut probe);
    }
    probe.render(separator)
}

/// What each step makes of the answer.
///
/// # Errors
/// When a part of the answer can't be read; the index is the step's.
pub fn compare(steps: &[&HostStep], seen: &HostState) -> Result<Vec<StepState>, (usize, Unreadable)> {
    let compare = |(index, step): (usize, &&HostStep)| {
        if !applies(&step.guard, seen).map_err(|unreadable| (index, unreadable))? {
            return Ok(StepState::NotHere);
        }
        Ok(
            match step
                .resource
                .compare(seen)
                .map_err(|unreadable| (index, unreadable))?
            {
                Comparison::InSync => StepState::InSync,
                Comparison::Differs(change) => StepState::Differs(change),
                Comparison::Refused(why) => StepState::Refused(why),
            },
        )
    };
    steps.iter().enumerate().map(compare).collect()
}

fn applies(guard: &Guard, seen: &HostState) -> Result<bool, Unreadable> {
    let family = guard
        .family
        .as_ref()
        .is_none_or(|family| *family == seen.os().family);
    let exists = match &guard.exists {
        Some(path) => seen.path(path)?.is_some(),
        None => true,
    };
    let active = guard
        .active
        .as_ref()
        .is_none_or(|unit| seen.unit(unit).active == "active");
    Ok(family && exists && active)
}

/// Adds what earlier changes will bring along: a service whose file changes is in sync now and restarted then.
pub fn foresee(steps: &[&HostStep], found: &mut [StepState]) {
    let mut touched: HashSet<Topic> = HashSet::new();
    for (step, found) in steps.iter().zip(found) {
        if *found == StepState::InSync {
            let following: Vec<_> = touched
                .iter()
                .filter_map(|topic| step.resource.follows(topic))
                .collect();
            if let Some(first) = following.into_iter().min() {
                *found = StepState::Differs(Change::new(first));
            }
        }
        if matches!(found, StepState::Differs(_)) {
            touched.extend(step.resource.touches());
        }
    }
}

#[cfg(test)]
mod tests;
