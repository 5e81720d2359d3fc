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

pub use backup::BackupSpec;
pub use calico::{CalicoSpec, Dataplane, Encapsulation, ManifestSpec};
pub use cluster::{
    CgroupDriver, ClusterSpec, ConntrackSpec, ContainerdSpec, HardeningSpec, KubeProxyModeSpec,
    KubeProxySpec, KubeadmSpec, KubeletSpec, NetworksSpec, UpgradeSpec,
};
pub use files::Files;
pub use folder::BuildContextFile;
pub use host::{HostSpec, Role};
pub use jenkins::{
    AdministratorSpec, AgentKind, AgentTemplateSpec, AgentsSpec, CredentialKind, CredentialSpec,
    HomeVolumeSpec, ImageSpec, IngressSpec, JenkinsSpec, JobSpec, KeepSpec, PluginSource, PluginsSpec,
    ResourcesSpec, TolerationSpec, UpdateSiteSpec, Volume,
};
pub use packages::{AptRepositorySpec, KeySpec, PackagesSpec, RpmRepositorySpec};
pub use parameter::ParameterValue;
pub use preflight::{PreflightCheck, PreflightSpec};
pub use read::{Document, ReadError, parse, read};
pub use schema::schema;
pub use site::{Ca, Firewall, HarborSpec, LoginSpec, ProxySpec, RegistrySpec, SelinuxSpec, TimeSpec};
pub use ssh::{JumpSpec, Secret, Ssh, SudoSpec};
pub use storage::{ExportSpec, NfsSpec, Provisioner, StorageClassSpec, StorageSpec};

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
    pub cluster: ClusterSpec,
    /// How to log in to the hosts. A host can override each key in its own `ssh`.
    #[serde(default)]
    pub ssh: Ssh,
    /// The machines, in the order in which they are shown. The first control plane is the one that is initialised.
    pub hosts: Spanned<Vec<HostSpec>>,
    /// Where packages come from.
    #[serde(default)]
    pub packages: PackagesSpec,
    /// Container registries that need something special on the hosts: a private CA, a mirror.
    #[serde(default)]
    pub registries: Vec<RegistrySpec>,
    /// Storage of the cluster: an NFS share and a StorageClass. Without it, the cluster has none.
    pub storage: Option<Spanned<StorageSpec>>,
    /// What to do about the firewall of the hosts.
    #[serde(default)]
    pub firewall: Firewall,
    /// What to do about SELinux on hosts that have it.
    #[serde(default)]
    pub selinux: SelinuxSpec,
    /// Time synchronisation of the hosts.
    #[serde(default)]
    pub time: TimeSpec,
    /// The HTTP proxy through which hosts and builds reach the outside.
    #[serde(default)]
    pub proxy: ProxySpec,
    /// Further kernel parameters of the hosts, by their names for sysctl(8). They are set at once and after each boot. One that is
    /// taken out of the inventory keeps its value until the next boot. Parameters that this program sets itself can't be set here.
    #[serde(default)]
    #[schemars(example = &serde_json::json!({"net.core.somaxconn": 4096}))]
    pub sysctl: Entries<Spanned<ParameterValue>>,
    /// What is checked before the first change.
    #[serde(default)]
    pub preflight: PreflightSpec,
    /// Jenkins in the cluster, with its agents as pods. Without it there is none.
    pub jenkins: Option<JenkinsSpec>,
    /// What is known of the cluster's backups.
    #[serde(default)]
    pub backup: BackupSpec,
}
