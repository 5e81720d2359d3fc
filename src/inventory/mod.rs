//! The inventory as it was written: the file's shape, every value with its place.
//!
//! Nothing here knows whether the values make sense together; that is `model`. The doc comments of these types are
//! the descriptions in `docs/inventory.schema.json` and `docs/inventory.md`.

mod backup;
mod calico;
mod cluster;
mod files;
mod folder;
mod host;
mod jenkins;
mod packages;
mod parameter;
mod preflight;
mod read;
mod schema;
mod site;
mod ssh;
mod storage;

pub use backup::Backup;
pub use calico::{Calico, Dataplane, Encapsulation, Manifest};
pub use cluster::{
    CgroupDriver, Cluster, Conntrack, Containerd, Hardening, KubeProxy, KubeProxyMode, Kubeadm, Kubelet,
    Networks, Upgrade,
};
pub use files::Files;
pub use folder::FolderFile;
pub use host::{Host, Role};
pub use jenkins::{
    Administrator, AgentKind, AgentTemplate, Agents, Credential, CredentialKind, HomeVolume, Image, Ingress,
    Jenkins, Job, Keep, PluginSource, Plugins, Resources, Toleration, UpdateSite, Volume,
};
pub use packages::{AptRepository, Key, Packages, RpmRepository};
pub use parameter::ParameterValue;
pub use preflight::{Preflight, PreflightCheck};
pub use read::{Document, ReadError, parse, read};
pub use schema::schema;
pub use site::{Ca, Firewall, Harbor, Login, Proxy, Registry, Selinux, Time};
pub use ssh::{Jump, Secret, Ssh, Sudo};
pub use storage::{Export, Nfs, Provisioner, Storage, StorageClass};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::yaml::{Entries, Spanned};

/// The version of the inventory's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The format described here.
    #[serde(rename = "ci-bootstrap/v1")]
    V1,
}

/// The inventory of ci-bootstrap: the hosts, how to reach them, and the cluster that they shall become.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inventory {
    /// The format of this file: `ci-bootstrap/v1`.
    pub api_version: Spanned<ApiVersion>,
    /// The Kubernetes cluster.
    pub cluster: Cluster,
    /// How to log in to the hosts. A host can override each key in its own `ssh`.
    #[serde(default)]
    pub ssh: Ssh,
    /// The machines, in the order in which they are shown. The first control plane is the one that is initialised.
    pub hosts: Spanned<Vec<Host>>,
    /// Where packages come from.
    #[serde(default)]
    pub packages: Packages,
    /// Container registries that need something special on the hosts: a private CA, a mirror.
    #[serde(default)]
    pub registries: Vec<Registry>,
    /// Storage of the cluster: an NFS share and a StorageClass. Without it, the cluster has none.
    pub storage: Option<Spanned<Storage>>,
    /// What to do about the firewall of the hosts.
    #[serde(default)]
    pub firewall: Firewall,
    /// What to do about SELinux on hosts that have it.
    #[serde(default)]
    pub selinux: Selinux,
    /// Time synchronisation of the hosts.
    #[serde(default)]
    pub time: Time,
    /// The HTTP proxy through which hosts and builds reach the outside.
    #[serde(default)]
    pub proxy: Proxy,
    /// Further kernel parameters of the hosts, by their names for sysctl(8). They are set at once and after each boot. One that is
    /// taken out of the inventory keeps its value until the next boot. Parameters that this program sets itself can't be set here.
    #[serde(default)]
    #[schemars(example = &serde_json::json!({"net.core.somaxconn": 4096}))]
    pub sysctl: Entries<Spanned<ParameterValue>>,
    /// What is checked before the first change.
    #[serde(default)]
    pub preflight: Preflight,
    /// Jenkins in the cluster, with its agents as pods. Without it there is none.
    pub jenkins: Option<Jenkins>,
    /// What is known of the cluster's backups.
    #[serde(default)]
    pub backup: Backup,
}
