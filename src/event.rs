//! What happened, as values. Stages send events; `report` alone decides what a person or a machine sees.

use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;

/// Something that happened during a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// A run begins.
    Started {
        /// `apply`, `plan`, `verify` or `preflight`.
        command: String,
        /// The cluster's name.
        cluster: String,
        /// Every place of the plan, in order.
        places: Vec<PlaceSize>,
    },
    /// A host is being connected to.
    Connecting {
        /// The host.
        place: String,
    },
    /// A host has been looked at.
    Observed {
        /// Whose steps.
        place: String,
        /// Steps that are as they should be.
        in_sync: usize,
        /// Steps that differ.
        differing: usize,
    },
    /// A track waits for others.
    Waiting {
        /// Whose track.
        place: String,
        /// The step that can't start yet.
        step: String,
        /// What it waits for.
        on: String,
    },
    /// A change is being made; in a plan, it would be.
    StepStarted {
        /// Where.
        place: String,
        /// The step.
        step: String,
        /// What will be done.
        summary: String,
        /// Lines of a diff.
        detail: Vec<String>,
    },
    /// A line that a running step printed.
    Output {
        /// Where.
        place: String,
        /// The step.
        step: String,
        /// The line, secrets masked.
        line: String,
    },
    /// A change was made.
    StepDone {
        /// Where.
        place: String,
        /// The step.
        step: String,
        /// How long it took, in seconds.
        #[serde(serialize_with = "seconds")]
        took: Duration,
    },
    /// A track is at its end.
    PlaceDone {
        /// Whose track.
        place: String,
        /// Changes made (or, in a plan, wanted).
        changed: usize,
        /// Steps that were in sync.
        unchanged: usize,
    },
    /// A track ended early.
    PlaceFailed {
        /// Whose track.
        place: String,
        /// The step it ended at, unless the host was never reached.
        step: Option<String>,
        /// Why.
        failure: Failure,
    },
    /// A script that was sent to a host, for `-v` and the debug log.
    Script {
        /// The host.
        place: String,
        /// Its text, secrets masked.
        text: String,
    },
    /// Something a person should know.
    Note {
        /// Where.
        place: String,
        /// What.
        text: String,
    },
    /// A check of the verification begins.
    CheckStarted {
        /// Where.
        place: String,
        /// The check.
        check: String,
    },
    /// A check of the verification is at its end.
    Checked {
        /// Where.
        place: String,
        /// The check.
        check: String,
        /// What came of it.
        #[serde(flatten)]
        result: CheckResult,
        /// How long it took, in seconds.
        #[serde(serialize_with = "seconds")]
        took: Duration,
    },
    /// The run is over.
    Finished {
        /// Places at their end without failure.
        done: usize,
        /// Places that failed.
        failed: usize,
        /// Places that wait for what a failed place owed.
        blocked: usize,
        /// Changes made (or, in a plan, wanted).
        changes: usize,
        /// How long it took, in seconds.
        #[serde(serialize_with = "seconds")]
        took: Duration,
    },
}

impl Event {
    /// The place that it happened at, unless it is about the whole run.
    pub fn place(&self) -> Option<&str> {
        match self {
            Self::Started { .. } | Self::Finished { .. } => None,
            Self::Connecting { place }
            | Self::Observed { place, .. }
            | Self::Waiting { place, .. }
            | Self::StepStarted { place, .. }
            | Self::Output { place, .. }
            | Self::StepDone { place, .. }
            | Self::PlaceDone { place, .. }
            | Self::PlaceFailed { place, .. }
            | Self::Script { place, .. }
            | Self::CheckStarted { place, .. }
            | Self::Checked { place, .. }
            | Self::Note { place, .. } => Some(place),
        }
    }
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "camelCase")]
pub enum CheckResult {
    /// It works.
    Passed {
        /// What was seen.
        detail: String,
    },
    /// It doesn't work.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// Nothing can be said.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// A place and how much there is to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceSize {
    /// Its name.
    pub place: String,
    /// Its steps.
    pub steps: usize,
}

/// Why a track ended early: everything a person needs at two in the morning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Which exit code it leads to.
    pub class: Class,
    /// One line: what went wrong.
    pub message: String,
    /// Where the step is written: `PLAYBOOK:LINE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The last lines that the command printed, secrets masked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<String>,
    /// What to do, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Classes of failure, each with an exit code of its own. The order is the one in which they decide the run's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// A place waits for what a failed one owed.
    Blocked,
    /// Everything was set up, and doesn't work.
    VerificationFailed,
    /// Unreachable, host key, login.
    Unreachable,
    /// A step failed.
    StepFailed,
    /// Another run holds the lock.
    Locked,
    /// A person stopped the run.
    Interrupted,
    /// The program is wrong.
    Bug,
}

fn seconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((took.as_secs_f64() * 1000.0).round() / 1000.0)
}

/// Where events go. Cheap to clone; sending never waits.
#[derive(Debug, Clone)]
pub struct Events(mpsc::UnboundedSender<Event>);

impl Events {
    /// A sender and the end at which a report listens.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Sends an event. When nobody listens any more there is nobody to tell.
    pub fn send(&self, event: Event) {
        let _ = self.0.send(event);
    }
}
