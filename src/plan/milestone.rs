//! What one track makes and another waits for.

use std::fmt;

/// A milestone. The list is closed: a playbook can't wait for what nobody could provide.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Milestone {
    /// The cluster's API server answers, and we may talk to it.
    ApiServer,
    /// kubeadm's configuration in the cluster says what the inventory says.
    Configuration,
    /// The pod network's objects are in the cluster.
    Network,
    /// The API server knows the host as a node.
    Node(String),
    /// The host with the role `nfs` exports the share.
    Export,
    /// A node has used the NFS share.
    Share,
    /// The registries accept the logins of the accounts that are made in them.
    Accounts,
    /// The host has downloaded what an upgrade needs, or needs none.
    Downloads(String),
    /// The control plane's static pods are at the wanted release.
    ControlPlaneRelease(String),
    /// The node's kubelet is at the wanted release.
    NodeRelease(String),
}

impl Milestone {
    /// Reads a playbook's word for it; `host` is the host whose track it stands in. `WORD NAME` is the milestone of another host.
    pub fn parse(word: &str, host: Option<&str>) -> Option<Self> {
        let (word, host) = match word.split_once(' ') {
            Some((word, other)) => (word, Some(other)),
            None => (word, host),
        };
        match (word, host) {
            ("api-server", _) => Some(Self::ApiServer),
            ("configuration", _) => Some(Self::Configuration),
            ("network", _) => Some(Self::Network),
            ("export", _) => Some(Self::Export),
            ("share", _) => Some(Self::Share),
            ("accounts", _) => Some(Self::Accounts),
            ("node", Some(host)) => Some(Self::Node(host.to_owned())),
            ("downloads", Some(host)) => Some(Self::Downloads(host.to_owned())),
            ("control-plane-release", Some(host)) => Some(Self::ControlPlaneRelease(host.to_owned())),
            ("node-release", Some(host)) => Some(Self::NodeRelease(host.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for Milestone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiServer => f.write_str("the API server"),
            Self::Configuration => f.write_str("the configuration that kubeadm keeps in the cluster"),
            Self::Network => f.write_str("the pod network"),
            Self::Export => f.write_str("the NFS export"),
            Self::Share => f.write_str("a node that can use the NFS share"),
            Self::Accounts => f.write_str("the accounts in the registries"),
            Self::Node(host) => write!(f, "node {host}"),
            Self::Downloads(host) => write!(f, "the downloads of {host}"),
            Self::ControlPlaneRelease(host) => write!(f, "the upgrade of the control plane {host}"),
            Self::NodeRelease(host) => write!(f, "the upgrade of node {host}"),
        }
    }
}
