//! Desired things on a host: one file per kind, each a pure description of how to look, compare and change.
//!
//! A kind never talks to a host. It adds to a [`Probe`], reads its part of what was [`HostState`], says what differs,
//! and writes the script that would fix it; `observe` and `apply` do the rest.

use std::fmt;
use std::time::Duration;

mod block;
mod component_arguments;
mod control_plane;
mod directory;
mod etcd_peer;
mod etcd_tools;
mod file;
mod firewall;
mod gate;
mod host_state;
mod hostname;
mod images;
mod json;
mod kernel_modules;
mod kind;
mod kubeadm;
mod kubelet_files;
mod kubelet_settings;
mod nfs_export;
mod nfs_share;
mod node_state;
mod old_registries;
mod packages;
mod probe;
mod repository;
mod restore;
mod selinux;
mod separator;
mod service;
pub mod sh;
mod site_file;
mod swap;
mod sysctl;
mod text_diff;
mod time_sync;
mod upgrade;
mod worker;

pub use control_plane::upload_certificates;
pub use etcd_peer::etcd_peer;
pub use etcd_tools::ETCD_TOOLS;
pub use host_state::{FileState, HostState, Os, Package, Unit};
pub use kind::{Kind, KindError};
pub use kubeadm::NodeState;
pub use probe::Probe;
pub use restore::RESTORE_ARCHIVE;
pub use separator::Separator;

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// Nothing to do.
    InSync,
    /// The host differs, and an action fixes it.
    Differs(Change),
    /// The host differs in a way that no action of ours may fix; the text says why and what a person can do.
    Refused(String),
}

impl Comparison {
    /// `InSync` when there are no differing lines, else a change with them as details.
    pub(crate) fn from_lines(summary: impl Into<String>, lines: Vec<String>) -> Self {
        if lines.is_empty() {
            Self::InSync
        } else {
            Self::Differs(Change::new(summary).with_detail(lines))
        }
    }
}

/// A difference that a person can review before it is fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// One line: what will be done.
    pub summary: String,
    /// Lines of detail: `+`, `-` and blank as in a unified diff, never a secret.
    pub detail: Vec<String>,
}

impl Change {
    /// A change with a summary alone.
    pub fn new(summary: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            detail: Vec::new(),
        }
    }

    /// The same change with lines of detail.
    #[must_use]
    pub fn with_detail(mut self, detail: Vec<String>) -> Self {
        self.detail = detail;
        self
    }
}

/// What an action may alter and an observation may rest on. Two steps that share a topic can't be fixed from
/// one observation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A file or directory by path.
    Path(String),
    /// The package repositories' lists.
    Repositories,
    /// Installed packages and what they bring along.
    Packages,
    /// A systemd unit.
    Unit(String),
    /// Loaded kernel modules and the sysctl keys they bring.
    Modules,
    /// The node's membership in the cluster.
    Membership,
}

/// The script that makes a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// `sh` text, run with `set -eu` and without standard input.
    pub script: String,
    /// How long it may take.
    pub timeout: Duration,
    /// Name of the transient unit it runs in, for work that must outlive a lost connection.
    pub unit: Option<&'static str>,
}

impl Action {
    /// A quick action, which ends with the connection.
    pub fn quick(script: impl Into<String>) -> Self {
        Self {
            script: script.into(),
            timeout: Duration::from_secs(60),
            unit: None,
        }
    }

    /// Long work that goes on when the connection is lost and is awaited by the next run.
    pub fn long(unit: &'static str, timeout: Duration, script: impl Into<String>) -> Self {
        Self {
            script: script.into(),
            timeout,
            unit: Some(unit),
        }
    }

    /// The same action with another limit.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// What a join needs to know, made on demand and short-lived.
#[derive(Clone)]
pub struct JoinCredentials {
    /// `host:port` of the API server.
    pub endpoint: String,
    /// Bootstrap token.
    pub token: secrecy::SecretString,
    /// `sha256:…` of the cluster CA's public key.
    pub ca_hash: String,
    /// Key that decrypts the uploaded control plane certificates; only made for control planes.
    pub certificate_key: Option<secrecy::SecretString>,
}

impl fmt::Debug for JoinCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinCredentials")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// What has been decided while a run goes on; an action that needs it is not built before.
#[derive(Debug, Clone, Default)]
pub enum ActionInput {
    /// Nothing, as for most actions.
    #[default]
    Nothing,
    /// The cluster is to be initialised on this host.
    Init,
    /// The host is to join the cluster with these credentials.
    Join(JoinCredentials),
}

/// What an action needs before it can be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionRequirement {
    /// Nothing but the plan.
    Nothing,
    /// Join credentials for a worker.
    WorkerCredentials,
    /// The bundle that a cluster is restored from, at [`RESTORE_ARCHIVE`] on the host.
    Bundle,
    /// The decision whether this control plane initializes the cluster, or join credentials with a certificate key.
    ControlPlane,
}

/// Something is not as the kind can read it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read what the host answered about {what}: {answer:?}")]
pub struct Unreadable {
    /// The section of the probe.
    pub what: String,
    /// The part that could not be read.
    pub answer: String,
}

/// One kind of thing on a host.
pub trait Resource: fmt::Debug + Send + Sync {
    /// Asks for what `compare` needs. Must not change anything.
    fn probe(&self, ask: &mut Probe);

    /// What would have to change.
    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable>;

    /// The script that makes the change which `compare` asked for.
    fn action(&self, seen: &HostState, known: &ActionInput) -> Action;

    /// A script that takes away what the action has put there, for a host that leaves. None where something was only switched or
    /// installed: it may serve others by now.
    fn undo(&self) -> Option<String> {
        None
    }

    /// What the action alters.
    fn touches(&self) -> Vec<Topic> {
        Vec::new()
    }

    /// What makes an observation of this resource stale.
    fn rests_on(&self) -> Vec<Topic> {
        Vec::new()
    }

    /// What will have to be done when an earlier step changes `topic`, though nothing differs yet. For plans.
    fn follows(&self, _topic: &Topic) -> Option<String> {
        None
    }

    /// Whether the host's API server is away while the action runs: nobody else in the run may need it then.
    fn interrupts_api(&self) -> bool {
        false
    }

    /// What the action needs to know.
    fn wants(&self) -> ActionRequirement {
        ActionRequirement::Nothing
    }

    /// What the host is to the cluster, where this resource knows: it decides who runs `kubeadm init`.
    fn node_state(&self, _seen: &HostState) -> Option<NodeState> {
        None
    }
}
