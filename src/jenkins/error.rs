//! What can go wrong between this program and Jenkins, in texts that stand alone.

use crate::transport::HttpError;

/// Why Jenkins did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JenkinsError {
    /// No connection, or one that broke.
    #[error("Jenkins at {url} does not answer: {source}")]
    Unreachable {
        /// Its URL, as the host sees it that carries the traffic.
        url: String,
        /// What the network said.
        source: HttpError,
    },
    /// It has not come up yet.
    #[error("Jenkins is still starting")]
    Starting,
    /// It came up without being of use: it answers with an error page until it is restarted.
    #[error("Jenkins did not start: {0}")]
    BootFailed(String),
    /// User or password are not accepted.
    #[error(
        "Jenkins does not accept the password of user `{0}`: it is not the one that Jenkins has loaded, or somebody changed it there"
    )]
    Login(String),
    /// The user may not do this, or the request was not believed to be the user's.
    #[error("Jenkins forbids {call}: {message}")]
    Forbidden {
        /// Method and path.
        call: String,
        /// Jenkins' own words.
        message: String,
    },
    /// Understood and refused.
    #[error("Jenkins answered {call} with status {status}: {message}")]
    Refused {
        /// Method and path.
        call: String,
        /// HTTP status.
        status: u16,
        /// Jenkins' own words.
        message: String,
    },
    /// An answer that has not the form it should have.
    #[error("the answer of Jenkins to {call} is not understood: {reason}")]
    NotUnderstood {
        /// Method and path.
        call: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Configuration as code that Jenkins would not load, or could not.
    #[error("Jenkins refuses the configuration: {0}")]
    Configuration(String),
}

impl JenkinsError {
    /// Whether the same call may succeed a little later.
    pub fn may_heal(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Starting)
    }
}
