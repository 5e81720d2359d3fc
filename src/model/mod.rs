//! The cluster as it shall be: values that can't be wrong.
//!
//! [`validate`] is the only way to a [`Cluster`] and tells every problem at once. A `Cluster` serializes in the names of
//! the inventory, with all defaults filled in and without secrets: it is what templates see.

mod backup;
mod calico;
mod capacity;
mod check;
mod cluster;
pub mod code;
mod components;
mod duration;
mod egress;
mod endpoint;
mod form;
mod harbor;
mod hardening;
mod host;
mod hosts;
mod jenkins;
mod manifest;
mod mirror;
mod name;
mod network;
mod packages;
mod release;
mod reserved;
mod site;
mod ssh;
mod storage;
mod support;
mod sysctl;
mod validate;
mod version;

#[cfg(test)]
mod tests;

pub use crate::inventory::{Dataplane, Encapsulation, PreflightCheck, PreflightSpec, Provisioner};
pub use backup::Backup;
pub use calico::Calico;
pub use cluster::{ApiServer, Cluster, Upgrade};
pub use components::{Conntrack, Containerd, KubeProxy, KubeProxyMode, Kubeadm, Kubelet};
pub use egress::{Egress, HostService, IpBlock, Ports};
pub use endpoint::{API_PORT, Endpoint};
pub use harbor::Harbor;
pub use hardening::HardeningFields;
pub use host::{Host, Roles, Taint};
pub use jenkins::{
    AgentTemplate, Agents, BuiltImage, Cache, Credential, CredentialSecret, Jenkins, Job, Keep, Mount,
    Namespaces, Plugin, Plugins, PodSecurity, PodVolume, PodVolumeSource, Resources, Toleration, UpdateSite,
    version_of_image,
};
pub use manifest::{Manifest, ManifestSource};
pub use name::HostName;
pub use network::Networks;
pub use packages::{AptRepository, PackageSources, RepositoryKeySource, RpmRepository};
pub use release::ImageVersions;
pub use site::{ImageServer, Login, Proxy, Registry, Time};
pub use ssh::{SshAccess, Sudo};
pub use storage::{Export, Nfs, Storage, StorageClass};
pub use support::support_warnings;
pub use validate::{Validated, validate};
pub use version::Version;
