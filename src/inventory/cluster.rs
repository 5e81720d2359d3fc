//! The `cluster` section.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CalicoSpec;
use crate::yaml::Spanned;

/// The Kubernetes cluster.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterSpec {
    /// Name of the cluster: lower-case letters, digits and `-`. It names the kubeconfig context.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"), example = &"ci")]
    pub name: Spanned<String>,
    /// Kubernetes release, in full. The minor releases 1.34 to 1.37 are supported. A higher release than that of the running
    /// cluster is an upgrade, by a patch or by one minor release: see [upgrade.md](upgrade.md). There is no way back to a lower one.
    #[schemars(regex(pattern = r"^\d+\.\d+\.\d+$"), example = &"1.36.5")]
    pub kubernetes: Spanned<String>,
    /// Where the API server is reached, `host:port`. Needed with more than one control plane, and then a name or
    /// address that leads to all of them (a load balancer, a virtual address). Without it: the address of the first
    /// control plane, port 6443.
    #[schemars(example = &"api.ci.example:6443")]
    pub endpoint: Option<Spanned<String>>,
    /// Registry of the Kubernetes images.
    #[serde(default = "image_repository")]
    pub image_repository: Spanned<String>,
    /// Networks inside the cluster.
    #[serde(default)]
    pub networks: NetworksSpec,
    /// How Services are made reachable on each node.
    #[serde(default)]
    pub kube_proxy: KubeProxySpec,
    /// The agent on each node.
    #[serde(default)]
    pub kubelet: KubeletSpec,
    /// Additional arguments of kubeadm.
    #[serde(default)]
    pub kubeadm: KubeadmSpec,
    /// How strictly the cluster is set up. It can be switched on a running cluster: `apply` then restarts the components of one control
    /// plane after the other, and kubelet; pods go on.
    #[serde(default)]
    pub hardening: HardeningSpec,
    /// How a running cluster is upgraded.
    #[serde(default)]
    pub upgrade: UpgradeSpec,
    /// The container runtime.
    #[serde(default)]
    pub containerd: ContainerdSpec,
    /// The pod network.
    #[serde(default)]
    pub calico: CalicoSpec,
}

/// How a running cluster is upgraded when `kubernetes` is raised.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct UpgradeSpec {
    /// How many workers are upgraded side by side. Control planes are always upgraded one at a time.
    pub workers_at_once: Spanned<u32>,
}

impl Default for UpgradeSpec {
    fn default() -> Self {
        Self {
            workers_at_once: 1.into(),
        }
    }
}

/// How strictly the cluster is set up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HardeningSpec {
    /// What the CIS Kubernetes Benchmark asks for and a CI farm doesn't miss: no profiling; an audit log on each control plane, in
    /// `/var/log/kubernetes/audit`, of at most 1.1 GB and without what Secrets and requests hold; the runtime's seccomp profile and
    /// at most 4096 processes for each pod, unless `kubelet.extraConfig` or the pod says otherwise.
    #[default]
    Cis,
    /// As kubeadm does by default.
    None,
}

fn image_repository() -> Spanned<String> {
    "registry.k8s.io".into()
}

/// Networks inside the cluster. They must not overlap with each other or with the addresses of the hosts, and can't be
/// changed later.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NetworksSpec {
    /// Network of the pods, in CIDR form.
    pub pods: Spanned<String>,
    /// Size of each node's part of `pods`, as a prefix length: `24` gives a node 256 pod addresses. Without it: 24, or
    /// 120 for an IPv6 network.
    #[schemars(example = &24)]
    pub node_prefix: Option<Spanned<u8>>,
    /// Network of the Services, in CIDR form. Its tenth address is the cluster's DNS server.
    pub services: Spanned<String>,
    /// DNS domain of the cluster.
    pub domain: Spanned<String>,
}

impl Default for NetworksSpec {
    fn default() -> Self {
        Self {
            pods: "10.244.0.0/16".into(),
            node_prefix: None,
            services: "10.96.0.0/16".into(),
            domain: "cluster.local".into(),
        }
    }
}

/// How kube-proxy forwards traffic for Services.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KubeProxyModeSpec {
    /// `nftables`.
    #[default]
    Auto,
    /// nftables; needs Linux 5.13 or newer.
    Nftables,
    /// iptables: for hosts with an older kernel.
    Iptables,
    /// IPVS; deprecated by Kubernetes since 1.35.
    Ipvs,
}

/// How Services are made reachable on each node.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KubeProxySpec {
    /// How traffic is forwarded.
    pub mode: Spanned<KubeProxyModeSpec>,
    /// Size of the kernel's table of connections.
    pub conntrack: ConntrackSpec,
}

/// Size of the kernel's table of connections, which kube-proxy sets.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ConntrackSpec {
    /// Connections per CPU core; `0` leaves the kernel's setting alone.
    pub max_per_core: Spanned<u32>,
    /// Connections at least, whatever the number of cores.
    pub min: Spanned<u32>,
}

impl Default for ConntrackSpec {
    fn default() -> Self {
        Self {
            max_per_core: 32_768.into(),
            min: 131_072.into(),
        }
    }
}

/// Who manages cgroups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CgroupDriver {
    /// systemd, as on every supported distribution.
    #[default]
    Systemd,
    /// kubelet and containerd themselves.
    Cgroupfs,
}

/// The agent on each node.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KubeletSpec {
    /// Most pods that run on one node.
    pub max_pods: Spanned<u32>,
    /// Refuse hosts that still use cgroup v1, as Kubernetes does by default since 1.35.
    #[serde(rename = "failCgroupV1")]
    pub fail_cgroup_v1: Spanned<bool>,
    /// Who manages cgroups; the same for kubelet and containerd.
    pub cgroup_driver: Spanned<CgroupDriver>,
    /// The file with the DNS servers of pods that ask no cluster DNS, such as CoreDNS itself. Without it: as kubeadm finds it, the
    /// file of systemd-resolved where that runs, else `/etc/resolv.conf`. It must name no loop-back address.
    #[schemars(example = &"/etc/resolv-pods.conf")]
    pub resolv_conf: Option<Spanned<String>>,
    /// Further fields of `KubeletConfiguration`, as in the Kubernetes reference. Fields that this program sets itself
    /// can't be set here.
    #[schemars(example = &serde_json::json!({"maxParallelImagePulls": 4}))]
    pub extra_config: Spanned<serde_json::Map<String, serde_json::Value>>,
}

impl Default for KubeletSpec {
    fn default() -> Self {
        Self {
            max_pods: 110.into(),
            fail_cgroup_v1: true.into(),
            cgroup_driver: Spanned::default(),
            resolv_conf: None,
            extra_config: Spanned::default(),
        }
    }
}

/// Additional arguments of kubeadm.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KubeadmSpec {
    /// Preflight checks whose errors become warnings.
    #[schemars(example = &["SystemVerification"])]
    pub ignore_preflight_errors: Vec<Spanned<String>>,
    /// How long the certificates of the control plane are valid. Without it: kubeadm's year.
    #[schemars(example = &"8760h")]
    pub certificate_validity: Option<Spanned<String>>,
    /// Further names and addresses for the API server's certificate.
    #[serde(rename = "extraCertSANs")]
    pub extra_cert_sans: Vec<Spanned<String>>,
}

/// The container runtime.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ContainerdSpec {
    /// Release to install, of the lines 1.7 and 2.0 or newer. `2.3` means the newest 2.3 release of the repository.
    pub version: Spanned<String>,
    /// Name of the package.
    pub package: Spanned<String>,
    /// Never let containers be better protected from the out-of-memory killer than containerd itself; needed where the
    /// host is a container.
    pub restrict_oom_score_adj: Spanned<bool>,
}

impl Default for ContainerdSpec {
    fn default() -> Self {
        Self {
            version: "2.3".into(),
            package: "containerd.io".into(),
            restrict_oom_score_adj: false.into(),
        }
    }
}
