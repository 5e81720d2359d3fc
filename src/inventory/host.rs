//! The `hosts` section.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Ssh;
use crate::yaml::{Entries, Spanned};

/// What a host is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs the API server and etcd. With `worker` besides, it takes pods as well.
    ControlPlane,
    /// Runs pods.
    Worker,
    /// Exports the share of the section `storage`.
    Nfs,
}

/// A machine.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostSpec {
    /// Its name, which becomes its hostname and its name in Kubernetes: lower-case letters, digits, `-` and `.`.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"), example = &"cp1")]
    pub name: Spanned<String>,
    /// The IP address by which the other hosts reach it. It becomes the node's address.
    #[schemars(example = &"10.0.0.11")]
    pub address: Spanned<String>,
    /// What it is for. An empty list is a host that is prepared (container runtime, kubelet) but does not join.
    #[schemars(example = &["control-plane"])]
    pub roles: Spanned<Vec<Spanned<Role>>>,
    /// Labels of the Kubernetes node.
    #[serde(default)]
    pub labels: Entries<Spanned<String>>,
    /// Taints of the Kubernetes node, `key=value:effect` with the effect `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    #[serde(default)]
    #[schemars(example = &["dedicated=ci:NoSchedule"])]
    pub taints: Vec<Spanned<String>>,
    /// Name or address to log in to, where that is not `address`.
    pub ssh_address: Option<Spanned<String>>,
    /// What differs from the common `ssh` section.
    #[serde(default)]
    pub ssh: Ssh,
}
