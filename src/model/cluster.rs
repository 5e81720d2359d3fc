//! The cluster as it shall be.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{
    Backup, Calico, Containerd, Egress, Endpoint, HardeningFields, Host, ImageServer, ImageVersions, Jenkins,
    KubeProxy, Kubeadm, Kubelet, Networks, PackageSources, Proxy, Registry, Storage, Time, Version, release,
};
use crate::inventory::{Firewall, HardeningSpec, PreflightSpec, SelinuxSpec};
use crate::secret::SecretRef;

/// The API server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiServer {
    /// Names and addresses in its certificate, besides those that kubeadm adds itself.
    pub sans: Vec<String>,
}

/// How a running cluster is upgraded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Upgrade {
    /// How many workers are upgraded side by side; at least one.
    pub workers_at_once: u32,
}

/// The cluster as it shall be. Made by [`super::validate`] only; serializes in the names of the inventory.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Release of Kubernetes.
    pub kubernetes: Version,
    /// `major.minor` of it.
    pub kubernetes_minor: String,
    /// The newest known patch release of each supported minor release, ascending: the path of upgrades.
    pub kubernetes_releases: Vec<Version>,
    /// How a running cluster is upgraded.
    pub upgrade: Upgrade,
    /// Where the API server is reached.
    pub endpoint: Endpoint,
    /// Registry of the Kubernetes images.
    pub image_repository: String,
    /// The images of this release.
    pub images: KubernetesImages,
    /// The API server.
    pub api_server: ApiServer,
    /// Networks inside the cluster.
    pub networks: Networks,
    /// How Services are made reachable on each node.
    pub kube_proxy: KubeProxy,
    /// The agent on each node.
    pub kubelet: Kubelet,
    /// Additional arguments of kubeadm.
    pub kubeadm: Kubeadm,
    /// How strictly it is set up.
    pub hardening: HardeningSpec,
    /// What that is in the configuration of its components.
    pub hardening_fields: HardeningFields,
    /// The container runtime.
    pub containerd: Containerd,
    /// The pod network.
    pub calico: Calico,
    /// The machines, in the order of the inventory.
    pub hosts: Vec<Host>,
    /// Where packages come from.
    pub packages: PackageSources,
    /// Registries that need something special on the hosts.
    pub registries: Vec<Registry>,
    /// Their servers and those of their mirrors.
    pub image_servers: Vec<ImageServer>,
    /// Storage, where the inventory has any.
    pub storage: Option<Storage>,
    /// What to do about firewalls.
    pub firewall: Firewall,
    /// What to do about SELinux.
    pub selinux: SelinuxSpec,
    /// Time synchronisation.
    pub time: Time,
    /// The HTTP proxy of the hosts.
    pub proxy: Proxy,
    /// Further kernel parameters of the hosts.
    pub sysctl: BTreeMap<String, String>,
    /// What is checked before the first change.
    pub preflight: PreflightSpec,
    /// Jenkins, where the inventory asks for it.
    pub jenkins: Option<Jenkins>,
    /// What is known of its backups.
    pub backup: Backup,
    /// What pods of builds may reach.
    pub egress: Egress,
}

impl Cluster {
    /// Whether it is set up as the CIS Kubernetes Benchmark asks for.
    pub fn is_hardened(&self) -> bool {
        self.hardening == HardeningSpec::Cis
    }

    /// The secrets that playbooks and templates need. Those of logins are not among them.
    pub fn secrets(&self) -> Vec<&SecretRef> {
        let registries = self.registries.iter().flat_map(Registry::secrets);
        let jenkins = self.jenkins.iter().flat_map(Jenkins::secrets);
        registries.chain(jenkins).collect()
    }

    /// The hosts with the role `control-plane`, the first to be initialised first.
    pub fn control_planes(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| host.roles.control_plane)
    }

    /// The hosts with the role `worker` that are no control planes.
    pub fn workers(&self) -> impl Iterator<Item = &Host> {
        self.hosts
            .iter()
            .filter(|host| host.roles.worker && !host.roles.control_plane)
    }

    /// The hosts that join the cluster.
    pub fn nodes(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| host.is_node())
    }

    /// The control plane that is initialised; none where no host joins a cluster.
    pub fn first_control_plane(&self) -> Option<&Host> {
        self.control_planes().next()
    }

    /// The host of that name.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name.as_str() == name)
    }

    /// Tags of the images that come with this release of Kubernetes.
    pub fn image_versions(&self) -> ImageVersions {
        self.images.versions
    }
}

/// The images of a Kubernetes release. Serializes as full references by component: `etcd`, `coredns`, `pause`,
/// `apiServer`, `controllerManager`, `scheduler`, `kubeProxy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubernetesImages {
    repository: String,
    kubernetes: Version,
    versions: ImageVersions,
}

impl KubernetesImages {
    pub(super) fn new(repository: &str, kubernetes: Version, versions: ImageVersions) -> Self {
        Self {
            repository: repository.to_owned(),
            kubernetes,
            versions,
        }
    }

    /// Component and full image reference, as `kubeadm config images list` prints them.
    pub fn references(&self) -> [(&'static str, String); 7] {
        let Self {
            repository,
            kubernetes,
            versions,
        } = self;
        let core = |name: &str| format!("{repository}/{name}:v{kubernetes}");
        let coredns = if repository == release::DEFAULT_REPOSITORY {
            "coredns/coredns"
        } else {
            "coredns"
        };
        [
            ("apiServer", core("kube-apiserver")),
            ("controllerManager", core("kube-controller-manager")),
            ("scheduler", core("kube-scheduler")),
            ("kubeProxy", core("kube-proxy")),
            ("coredns", format!("{repository}/{coredns}:{}", versions.coredns)),
            ("pause", format!("{repository}/pause:{}", versions.pause)),
            ("etcd", format!("{repository}/etcd:{}", versions.etcd)),
        ]
    }
}

impl Serialize for KubernetesImages {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let references = self.references();
        let mut map = serializer.serialize_map(Some(references.len()))?;
        for (component, reference) in references {
            map.serialize_entry(component, &reference)?;
        }
        map.end()
    }
}
