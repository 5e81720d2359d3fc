//! What is done on hosts to keep a cluster's state and to bring it back.

use crate::transport::{Script, ScriptOutput, Transport, TransportError};

mod jenkins_home;
mod precheck;
mod rehearse;
mod renew;
mod reset;
mod retention;
pub mod schedule;
mod snapshot;
mod upload;

pub use jenkins_home::{HomeState, JenkinsHome};
pub use precheck::{Traces, traces};
pub use rehearse::rehearse;
pub use renew::renew;
pub use reset::{clean, leave};
pub use retention::{delete, names};
pub use snapshot::{Snapshot, snapshot};
pub use upload::{Upload, upload};

/// Why something could not be done on a host.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The host can't be talked to.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// What was to be sent can't be read.
    #[error(transparent)]
    Read(#[from] std::io::Error),
    /// A command on it failed.
    #[error("{host}: {what} failed:\n{output}")]
    Command {
        /// The host.
        host: String,
        /// What the command was for.
        what: &'static str,
        /// What it printed.
        output: String,
    },
}

/// Runs a script that must succeed. When it does not, all that it printed is reported with what it was for.
async fn run(
    host: &dyn Transport,
    name: &str,
    what: &'static str,
    exec: Script,
) -> Result<ScriptOutput, RecoveryError> {
    succeeded(name, what, host.exec(exec).await?)
}

fn succeeded(name: &str, what: &'static str, output: ScriptOutput) -> Result<ScriptOutput, RecoveryError> {
    if output.success() {
        return Ok(output);
    }
    Err(failed(name, what, &[output.stdout, output.stderr].concat()))
}

fn failed(host: &str, what: &'static str, output: &[u8]) -> RecoveryError {
    RecoveryError::Command {
        host: host.to_owned(),
        what,
        output: String::from_utf8_lossy(output).trim().to_owned(),
    }
}
