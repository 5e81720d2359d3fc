//! What can go wrong between this program and the API server, in texts that stand alone.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use super::object::ObjectId;
use crate::transport::TransportError;

/// Why the API server did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApiError {
    /// The kubeconfig can't be used.
    #[error("the kubeconfig cannot be used: {0}")]
    Kubeconfig(String),
    /// The host that carries the traffic can't be talked to, or nothing listens behind it.
    #[error("{}", transport_text(server, source))]
    Transport {
        /// URL of the API server.
        server: String,
        /// What the transport said.
        source: TransportError,
    },
    /// No answer in time.
    #[error("the API server {server} did not answer {request} within {limit:?}")]
    Timeout {
        /// URL of the API server.
        server: String,
        /// Method and path.
        request: String,
        /// The limit that passed.
        limit: Duration,
    },
    /// The connection, TLS or the answer's format broke.
    #[error("talking to the API server {server} failed: {reason}")]
    Broken {
        /// URL of the API server.
        server: String,
        /// The whole chain of causes.
        reason: String,
    },
    /// The API server understood and refused.
    #[error("{0}")]
    Rejected(Rejection),
    /// A kind that the API server does not serve.
    #[error(
        "the API server knows no kind {kind} in {api_version}; is its CustomResourceDefinition installed, and does it serve that version?"
    )]
    UnknownKind {
        /// `group/version`.
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// Something that should be an object of the API is none.
    #[error("not a Kubernetes object: {0}")]
    NotAnObject(String),
    /// A definition of kinds that the server accepted but does not serve.
    #[error("{id} did not become usable; its conditions: {conditions}")]
    NotEstablished {
        /// The definition.
        id: ObjectId,
        /// Its conditions, as the server has them.
        conditions: String,
    },
    /// A deleted object that does not go.
    #[error("still there after {limit:?}; it waits for these finalizers: {finalizers}")]
    StillThere {
        /// How long we waited.
        limit: Duration,
        /// Who must agree to its end.
        finalizers: String,
    },
    /// A Service that can't be talked to.
    #[error("Service {namespace}/{name} has no address of its own, or no port named {port}")]
    NoAddress {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The port's name.
        port: String,
    },
    /// Authorities that no connection can be checked with.
    #[error("the CA of {server} can't be used: {reason}")]
    Authority {
        /// The server.
        server: String,
        /// What is wrong.
        reason: String,
    },
    /// The machine gives no random numbers.
    #[error("no random numbers for a token: {0}")]
    Random(String),
    /// An error with what was being done, such as `apply DaemonSet kube-system/calico-node`.
    #[error("{what}: {source}")]
    During {
        /// What was being done, to which object.
        what: String,
        /// The error itself.
        source: Box<ApiError>,
    },
}

/// A refusal in the API server's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// HTTP status.
    pub code: u16,
    /// Machine-readable reason, such as `Invalid` or `Forbidden`.
    pub reason: String,
    /// The server's sentence.
    pub message: String,
    /// `field: message` of each cause that the message does not already contain.
    pub causes: Vec<String>,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        if self.reason.is_empty() {
            write!(f, " (HTTP {})", self.code)?;
        } else {
            write!(f, " ({})", self.reason)?;
        }
        for cause in &self.causes {
            write!(f, "\n  {cause}")?;
        }
        match hint(self.code, &self.message) {
            Some(hint) => write!(f, "\n  help: {hint}"),
            None => Ok(()),
        }
    }
}

/// What a person can do, where the refusal is a common one.
fn hint(code: u16, message: &str) -> Option<&'static str> {
    match code {
        401 => Some(
            "the kubeconfig's certificate or token is not accepted: has it expired, or is it of another cluster?",
        ),
        403 if !message.contains("quota") => {
            Some("the kubeconfig's user may not do this; use the cluster's admin.conf")
        }
        422 if message.contains("immutable") => Some(
            "this field cannot be changed in place: delete the object and run again, after thinking of what it holds",
        ),
        _ => None,
    }
}

impl ApiError {
    /// Adds what was being done.
    #[must_use]
    pub fn during(self, what: impl fmt::Display) -> Self {
        Self::During {
            what: what.to_string(),
            source: Box::new(self),
        }
    }

    /// The server's refusal, wherever it is wrapped.
    pub fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Rejected(rejection) => Some(rejection),
            Self::During { source, .. } => source.rejection(),
            _ => None,
        }
    }

    /// Whether the object (or its namespace) does not exist.
    pub fn is_not_found(&self) -> bool {
        self.rejection().is_some_and(|r| r.code == 404)
    }

    /// Whether somebody else changed the object meanwhile, or owns the field.
    pub fn is_conflict(&self) -> bool {
        self.rejection().is_some_and(|r| r.code == 409)
    }

    /// Whether the same request may succeed a little later: the server was away or overloaded.
    pub(super) fn may_heal(&self) -> bool {
        match self {
            Self::Transport { source, .. } => matches!(source, TransportError::Unreachable { .. }),
            Self::Timeout { .. } | Self::Broken { .. } => true,
            Self::Rejected(rejection) => rejection.code >= 500 || rejection.code == 429,
            Self::During { source, .. } => source.may_heal(),
            _ => false,
        }
    }

    pub(super) fn from_kube(error: &kube::Error, server: &str) -> Self {
        if let kube::Error::Api(status) = error {
            return Self::Rejected(rejection(status));
        }
        let chain: Vec<&dyn StdError> = chain(error).collect();
        if let Some(source) = chain.iter().find_map(|e| e.downcast_ref::<TransportError>()) {
            return Self::Transport {
                server: server.to_owned(),
                source: source.clone(),
            };
        }
        Self::Broken {
            server: server.to_owned(),
            reason: sentence(&chain),
        }
    }
}

fn rejection(status: &kube::core::Status) -> Rejection {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    Rejection {
        code: status.code,
        reason: status.reason.clone(),
        message: status.message.clone(),
        causes: causes
            .filter(|cause| !status.message.contains(&cause.message))
            .map(|cause| format!("{}: {}", cause.field, cause.message))
            .collect(),
    }
}

fn transport_text(server: &str, source: &TransportError) -> String {
    match source {
        TransportError::Lost { host, reason } => {
            format!("the SSH connection to {host}, which carries the API server's traffic, is gone: {reason}")
        }
        other => format!("no way to the API server {server}: {other}"),
    }
}

/// An error and its sources, outermost first.
pub(super) fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |e: &&'a (dyn StdError + 'static)| (*e).source())
}

/// The chain as one line; a cause that its wrapper already prints is not said twice, and wrappers that only say that
/// something failed are left out.
pub(super) fn sentence(chain: &[&dyn StdError]) -> String {
    let says_nothing = |text: &str| text.starts_with("ServiceError: ") || text.starts_with("client error (");
    let mut text = String::new();
    for (at, error) in chain.iter().enumerate() {
        let part = error.to_string();
        let last = at + 1 == chain.len();
        if says_nothing(&part) && !last || text.contains(&part) {
            continue;
        }
        text = if text.is_empty() {
            part
        } else {
            format!("{text}: {part}")
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_as_the_server_said_it() {
        let status: kube::core::Status = serde_json::from_value(serde_json::json!({
            "code": 422, "reason": "Invalid", "message": "Deployment \"web\" is invalid: spec.selector: field is immutable",
            "details": {"causes": [
                {"field": "spec.selector", "message": "field is immutable"},
                {"field": "spec.replicas", "message": "must not be negative"},
            ]}
        }))
        .unwrap_or_default();
        let error = ApiError::from_kube(&kube::Error::Api(Box::new(status)), "https://cp:6443")
            .during("apply Deployment ci/web");
        let text = error.to_string();
        assert!(
            text.starts_with("apply Deployment ci/web: Deployment \"web\" is invalid"),
            "{text}"
        );
        assert!(
            text.contains("\n  spec.replicas: must not be negative\n"),
            "{text}"
        );
        assert_eq!(text.matches("field is immutable").count(), 1, "{text}");
        assert!(
            text.contains("help: this field cannot be changed in place"),
            "{text}"
        );
    }

    #[test]
    fn wrappers_that_say_nothing_are_left_out() {
        let error = kube::Error::Service("connection reset".into());
        let chain: Vec<_> = chain(&error).collect();
        assert_eq!(sentence(&chain), "connection reset");
        assert_eq!(sentence(&chain[..1]), "ServiceError: connection reset");
    }

    #[test]
    fn a_dead_connection_names_the_host() {
        let lost = TransportError::Lost {
            host: "cp1".into(),
            reason: "keepalive timed out".into(),
        };
        let error = ApiError::from_kube(&kube::Error::Service(Box::new(lost)), "https://cp:6443");
        assert_eq!(
            error.to_string(),
            "the SSH connection to cp1, which carries the API server's traffic, is gone: keepalive timed out"
        );
    }
}
