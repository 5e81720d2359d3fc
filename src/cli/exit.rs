//! Why a command fails, and the exit codes as they are explained.

pub use crate::report::Exit;

/// The exit codes as `--help` shows them.
pub(super) const HELP: &str = "\
Exit codes:
    0  done, or nothing to do
    1  a bug in this program
    2  the inventory or the command line is wrong
    3  a host is unreachable, its key is not the expected one, or the login failed
    4  a step failed, or a check of `preflight`
    5  the verification failed
    6  locked by another run
   10  `plan` found changes to make
  130  interrupted

Start with `ci-bootstrap init ADDRESS…`, then `ci-bootstrap check inventory.yaml`.";

/// Why a command failed, and the exit code that says so.
#[derive(Debug)]
pub struct CommandFailure {
    /// How the program ends.
    pub exit: Exit,
    /// What is printed.
    pub error: anyhow::Error,
}

/// What nobody gave an exit code is a bug.
impl<E: Into<anyhow::Error>> From<E> for CommandFailure {
    fn from(error: E) -> Self {
        Self {
            exit: Exit::Bug,
            error: error.into(),
        }
    }
}

/// Gives an expected error its exit code.
pub trait OrExit<T> {
    /// Fails with this exit code.
    fn or_exit(self, exit: Exit) -> Result<T, CommandFailure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, CommandFailure> {
        self.map_err(|error| CommandFailure {
            exit,
            error: error.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Exit, HELP};

    #[test]
    fn every_exit_code_is_documented() {
        let codes = [
            Exit::Done,
            Exit::Bug,
            Exit::Usage,
            Exit::Unreachable,
            Exit::StepFailed,
            Exit::VerificationFailed,
            Exit::Locked,
            Exit::Changes,
            Exit::Interrupted,
        ];
        for code in codes {
            assert!(HELP.contains(&format!("{:>5}  ", code as u8)), "{code:?}");
        }
    }
}
