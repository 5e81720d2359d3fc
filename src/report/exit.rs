//! Exit codes: one for each thing that a script would do something else about. Part of the interface, never renumbered.

use crate::event::Class;

use super::run::RunProgress;

/// The process's exit codes; `docs/output.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything is as wanted.
    Done = 0,
    /// The program is wrong.
    Bug = 1,
    /// The inventory or the command line is wrong.
    Usage = 2,
    /// A host can't be reached, isn't the one it should be, or lets nobody in.
    Unreachable = 3,
    /// A step failed.
    StepFailed = 4,
    /// Everything is set up, and doesn't work.
    VerificationFailed = 5,
    /// Another run holds the lock.
    Locked = 6,
    /// `plan --exit-code`: there is something to change.
    Changes = 10,
    /// A person stopped the run.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(code: Exit) -> Self {
        Self::from(code as u8)
    }
}

impl From<Class> for Exit {
    fn from(class: Class) -> Self {
        match class {
            // Blocked by a place that isn't part of this run: as good as a step that can't be made.
            Class::Blocked | Class::StepFailed => Self::StepFailed,
            Class::VerificationFailed => Self::VerificationFailed,
            Class::Unreachable => Self::Unreachable,
            Class::Locked => Self::Locked,
            Class::Interrupted => Self::Interrupted,
            Class::Bug => Self::Bug,
        }
    }
}

/// The code of a run: its gravest failure decides. `Blocked` is the lightest class, so the cause of a block decides before it.
pub(super) fn of(run: &RunProgress) -> Exit {
    match run.failures().map(|(_, _, failure)| failure.class).max() {
        Some(class) => class.into(),
        None if run.is_finished() || !run.has_begun() => Exit::Done,
        // A run that began and never said how it ended has died somewhere.
        None => Exit::Bug,
    }
}
