//! What runs on each node: kube-proxy, kubelet, containerd; and kubeadm, which sets them up.

use serde::Serialize;
use serde_json::{Map, Value};

use super::check::RuleContext;
use super::{Version, code, duration, endpoint, form, reserved};
use crate::diagnostic::Diagnostic;
use crate::inventory;
use crate::yaml::Spanned;

/// How kube-proxy forwards traffic for Services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KubeProxyMode {
    /// nftables; needs Linux 5.13.
    Nftables,
    /// iptables.
    Iptables,
    /// IPVS.
    Ipvs,
}

/// Size of the kernel's table of connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Conntrack {
    /// Connections per core; 0 leaves the kernel's setting alone.
    pub max_per_core: u32,
    /// Connections at least.
    pub min: u32,
}

/// How Services are made reachable on each node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KubeProxy {
    /// How traffic is forwarded.
    pub mode: KubeProxyMode,
    /// Size of the kernel's table of connections.
    pub conntrack: Conntrack,
}

/// The agent on each node.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kubelet {
    /// Most pods on a node.
    pub max_pods: u32,
    /// Refuse hosts with cgroup v1.
    #[serde(rename = "failCgroupV1")]
    pub fail_cgroup_v1: bool,
    /// Who manages cgroups.
    pub cgroup_driver: inventory::CgroupDriver,
    /// The file with the DNS servers of pods; none where kubeadm finds it.
    pub resolv_conf: Option<String>,
    /// Further fields of `KubeletConfiguration`; none that the program sets itself.
    pub extra_config: Map<String, Value>,
}

/// Additional arguments of kubeadm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kubeadm {
    /// Preflight checks whose errors become warnings.
    pub ignore_preflight_errors: Vec<String>,
    /// Validity of certificates as Go writes it (`8760h0m0s`).
    pub certificate_validity: String,
}

/// The container runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Containerd {
    /// Release, `2.2` or `2.2.7`.
    pub version: String,
    /// Version of the format of its configuration file: 2, 3 or 4.
    pub config_version: u8,
    /// Name of the package.
    pub package: String,
    /// Whether containers are kept from being better protected from the out-of-memory killer than containerd.
    pub restrict_oom_score_adj: bool,
}

pub(super) fn kube_proxy(written: &inventory::KubeProxySpec, check: &mut RuleContext<'_>) -> KubeProxy {
    let mode = match written.mode.value {
        inventory::KubeProxyModeSpec::Auto | inventory::KubeProxyModeSpec::Nftables => {
            KubeProxyMode::Nftables
        }
        inventory::KubeProxyModeSpec::Iptables => KubeProxyMode::Iptables,
        inventory::KubeProxyModeSpec::Ipvs => {
            check.report(
                Diagnostic::warning(
                    &code::IPVS_DEPRECATED,
                    "the IPVS mode of kube-proxy is deprecated since 1.35",
                )
                .at(written.mode.span, "")
                .help("Kubernetes recommends `nftables`, which needs Linux 5.13 or newer"),
            );
            KubeProxyMode::Ipvs
        }
    };
    KubeProxy {
        mode,
        conntrack: Conntrack {
            max_per_core: written.conntrack.max_per_core.value,
            min: written.conntrack.min.value,
        },
    }
}

/// Fields of `KubeletConfiguration` that the program sets, and where the user has a say, by which key.
const MANAGED: &[(&str, Option<&str>)] = &[
    ("apiVersion", None),
    ("kind", None),
    ("authentication", None),
    ("authorization", None),
    ("cgroupDriver", Some("cluster.kubelet.cgroupDriver")),
    ("clusterDNS", Some("cluster.networks.services")),
    ("clusterDomain", Some("cluster.networks.domain")),
    ("containerRuntimeEndpoint", None),
    ("failCgroupV1", Some("cluster.kubelet.failCgroupV1")),
    ("maxPods", Some("cluster.kubelet.maxPods")),
    ("resolvConf", Some("cluster.kubelet.resolvConf")),
    ("rotateCertificates", None),
    ("staticPodPath", None),
];

pub(super) fn kubelet(written: &inventory::KubeletSpec, check: &mut RuleContext<'_>) -> Option<Kubelet> {
    for (field, instead) in MANAGED {
        if written.extra_config.contains_key(*field) {
            let title = format!("`{field}` is set by ci-bootstrap");
            let problem =
                Diagnostic::error(&code::MANAGED_FIELD, title).at(written.extra_config.span, "in here");
            check.report(match instead {
                Some(key) => problem.help(format!("use the key `{key}`")),
                None => problem.help("remove it here"),
            });
        }
    }
    reserved::check(written, check);
    let resolv_conf = check.parse_optional(
        written.resolv_conf.as_ref(),
        &code::BAD_PATH,
        "path",
        form::absolute_path,
    );
    let max_pods = &written.max_pods;
    if !(10..=500).contains(&max_pods.value) {
        let title = format!("{} pods on a node", max_pods.value);
        let problem = Diagnostic::error(&code::OUT_OF_RANGE, title);
        check.report(problem.at(max_pods.span, "expected between 10 and 500"));
        return None;
    }
    Some(Kubelet {
        max_pods: max_pods.value,
        fail_cgroup_v1: written.fail_cgroup_v1.value,
        cgroup_driver: written.cgroup_driver.value,
        resolv_conf: resolv_conf?,
        extra_config: written.extra_config.value.clone(),
    })
}

/// kubeadm's part, and the extra names for the API server's certificate.
pub(super) fn kubeadm(
    written: &inventory::KubeadmSpec,
    check: &mut RuleContext<'_>,
) -> Option<(Kubeadm, Vec<String>)> {
    let year: Spanned<String> = "8760h".into();
    let validity = written.certificate_validity.as_ref().unwrap_or(&year);
    let validity = check.parse(validity, &code::BAD_DURATION, "duration", duration::parse);
    let sans = check.parse_all(
        &written.extra_cert_sans,
        &code::BAD_NAME,
        "name or address",
        |name| {
            endpoint::host_name_or_address(name.strip_prefix("*.").unwrap_or(name)).map(|_| name.to_owned())
        },
    );
    let ignored = check.parse_all(
        &written.ignore_preflight_errors,
        &code::BAD_WORD,
        "preflight check",
        form::word,
    );
    let kubeadm = Kubeadm {
        ignore_preflight_errors: ignored?,
        certificate_validity: duration::go(validity?),
    };
    Some((kubeadm, sans?))
}

pub(super) fn containerd(
    written: &inventory::ContainerdSpec,
    check: &mut RuleContext<'_>,
) -> Option<Containerd> {
    let line = check.parse(
        &written.version,
        &code::BAD_VERSION,
        "containerd release",
        containerd_line,
    )?;
    let package = check.parse(&written.package, &code::BAD_WORD, "package name", form::word);
    let config_version = match line {
        (1, 7) => 2,
        (2, 0..=2) => 3,
        (2, 3..) => 4,
        _ => {
            check.report(
                Diagnostic::error(
                    &code::UNSUPPORTED_CONTAINERD,
                    format!("containerd {} is not supported", written.version.value),
                )
                .at(written.version.span, "1.7, or 2.0 and newer")
                .help("leave the key out for the usual release"),
            );
            return None;
        }
    };
    Some(Containerd {
        version: written.version.value.trim_end_matches(".x").to_owned(),
        config_version,
        package: package?,
        restrict_oom_score_adj: written.restrict_oom_score_adj.value,
    })
}

/// Major and minor of `2.2`, `2.2.x` or `2.2.7`.
fn containerd_line(text: &str) -> Result<(u64, u64), String> {
    let full = match text.strip_suffix(".x").unwrap_or(text) {
        line if line.matches('.').count() == 1 => format!("{line}.0"),
        full => full.to_owned(),
    };
    full.parse()
        .map(|version: Version| (version.major, version.minor))
}
