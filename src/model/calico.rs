//! The pod network.

use ipnet::IpNet;
use serde::Serialize;

use super::check::RuleContext;
use super::manifest::{self, Manifest};
use super::{KubeProxyMode, Version, code, form, release};
use crate::diagnostic::Diagnostic;
use crate::inventory::{self, Dataplane, Encapsulation};

/// The pod network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Calico {
    /// Release.
    pub version: Version,
    /// How pod traffic travels between hosts.
    pub encapsulation: Encapsulation,
    /// MTU of the pods' interfaces; 0 is found out by Calico.
    pub mtu: u32,
    /// Prefix length of address blocks.
    pub block_size: u8,
    /// Whether pods reach the outside with their host's address.
    pub nat_outgoing: bool,
    /// The release manifest.
    pub manifest: Manifest,
    /// Registry of its images.
    pub image_registry: String,
    /// How it programs the kernel: never `auto`.
    pub dataplane: Dataplane,
    /// Whether routes are told by BGP; else it is all VXLAN.
    pub bgp: bool,
}

pub(super) fn check(
    written: &inventory::CalicoSpec,
    kubernetes: Option<Version>,
    mode: KubeProxyMode,
    pods: Option<IpNet>,
    check: &mut RuleContext<'_>,
) -> Option<Calico> {
    let version: Option<Version> =
        check.parse(&written.version, &code::BAD_VERSION, "Calico release", str::parse);
    if let (Some(version), Some(kubernetes)) = (version, kubernetes) {
        skew(written, version, kubernetes, check);
    }
    let bgp = !matches!(
        written.encapsulation.value,
        Encapsulation::Vxlan | Encapsulation::VxlanCrossSubnet
    );
    let manifest = version.and_then(|version| manifest(written, version, bgp, check));
    let image_registry = check.parse(
        &written.image_registry,
        &code::BAD_ADDRESS,
        "image registry",
        form::image_repository,
    );
    let mtu = written.mtu.value;
    if mtu != 0 && !(1280..=9000).contains(&mtu) {
        let problem = Diagnostic::error(&code::OUT_OF_RANGE, format!("an MTU of {mtu}"));
        check.report(problem.at(written.mtu.span, "0, or between 1280 and 9000"));
    }
    Some(Calico {
        version: version?,
        encapsulation: written.encapsulation.value,
        mtu,
        block_size: block_size(written, pods?),
        nat_outgoing: written.nat_outgoing.value,
        manifest: manifest?,
        image_registry: image_registry?,
        dataplane: match (written.dataplane.value, mode) {
            (Dataplane::Auto, KubeProxyMode::Nftables) => Dataplane::Nftables,
            (Dataplane::Auto, _) => Dataplane::Iptables,
            (chosen, _) => chosen,
        },
        bgp,
    })
}

/// The block size as written, or Calico's own for the address family.
pub(super) fn block_size(written: &inventory::CalicoSpec, pods: IpNet) -> u8 {
    let usual = if pods.addr().is_ipv4() { 26 } else { 122 };
    written.block_size.map_or(usual, |size| size.value)
}

fn skew(written: &inventory::CalicoSpec, version: Version, kubernetes: Version, check: &mut RuleContext<'_>) {
    let Some(line) = release::line(kubernetes) else {
        return;
    };
    if version.major == 3 && version.minor > line.newest_calico {
        let title = format!(
            "Calico {version} is newer than what is known to work with Kubernetes {}",
            kubernetes.line()
        );
        check.report(Diagnostic::warning(&code::CALICO_SKEW, title).at(
            written.version.span,
            format!(
                "3.{} to 3.{} are tested by its makers",
                line.calico, line.newest_calico
            ),
        ));
        return;
    }
    if version.major == 3 && version.minor >= line.calico {
        return;
    }
    let cluster = check
        .document
        .inventory
        .as_ref()
        .map(|inventory| inventory.cluster.kubernetes.span);
    let title = format!(
        "Calico {version} does not support Kubernetes {}",
        kubernetes.line()
    );
    check.report(
        Diagnostic::error(&code::CALICO_SKEW, title)
            .at(written.version.span, "")
            .at(cluster.unwrap_or_default(), "")
            .help(format!("take Calico 3.{} or newer", line.calico)),
    );
}

fn manifest(
    written: &inventory::CalicoSpec,
    version: Version,
    bgp: bool,
    check: &mut RuleContext<'_>,
) -> Option<Manifest> {
    let given = &written.manifest;
    let name = if bgp { "calico.yaml" } else { "calico-vxlan.yaml" };
    let usual = format!("https://raw.githubusercontent.com/projectcalico/calico/v{version}/manifests/{name}");
    let source = manifest::source(given, Some(usual), check);
    let sha256 = match &given.sha256 {
        Some(_) => manifest::sha256(given, check),
        None => known_checksum(written, version, bgp, check),
    };
    let manifest = Manifest {
        source: source?,
        sha256: sha256?,
    };
    manifest::content_matches(given, &manifest.sha256, check).then_some(manifest)
}

fn known_checksum(
    written: &inventory::CalicoSpec,
    version: Version,
    bgp: bool,
    check: &mut RuleContext<'_>,
) -> Option<String> {
    let known = release::calico_checksum(version, !bgp);
    if known.is_none() {
        check.report(
            Diagnostic::error(
                &code::UNKNOWN_CHECKSUM,
                format!("the manifest of Calico {version} has no known checksum"),
            )
            .at(written.version.span, "")
            .help("give its SHA-256 as `cluster.calico.manifest.sha256`, or take a known release: 3.32.1"),
        );
    }
    known.map(str::to_owned)
}
