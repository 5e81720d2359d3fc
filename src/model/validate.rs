//! From what was written to what shall be, with every problem at once.

use super::check::RuleContext;
use super::cluster::{ApiServer, Cluster, KubernetesImages, Upgrade};
use super::{
    Egress, Endpoint, HardeningFields, Host, ImageVersions, Networks, Version, backup, calico, capacity,
    code, components, form, hosts, jenkins, name, network, packages, release, site, storage, sysctl,
};
use crate::diagnostic::{Diagnostic, Severity};
use crate::inventory::{self, Document, Inventory};

/// A valid cluster, and what there is to know about it.
#[derive(Debug)]
pub struct Validated {
    /// The cluster.
    pub cluster: Cluster,
    /// Warnings, in the order of the file.
    pub warnings: Vec<Diagnostic>,
}

/// Makes a cluster of an inventory. The error has every problem of form and of meaning, in the order of the file.
pub fn validate(document: &Document) -> Result<Validated, Vec<Diagnostic>> {
    let mut check = RuleContext::new(document);
    let cluster = document
        .inventory
        .as_ref()
        .and_then(|inventory| cluster(inventory, &mut check));
    let mut problems = document.problems.clone();
    for problem in check.problems {
        // Common settings are checked with each host that they are for.
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    problems.sort_by_key(Diagnostic::position);
    let sound = problems
        .iter()
        .all(|problem| problem.severity == Severity::Warning);
    match cluster {
        Some(cluster) if sound => Ok(Validated {
            cluster,
            warnings: problems,
        }),
        _ => Err(problems),
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "two lines for each section of the inventory"
)]
fn cluster(inventory: &Inventory, check: &mut RuleContext<'_>) -> Option<Cluster> {
    let written = &inventory.cluster;
    let name = check.parse(&written.name, &code::BAD_NAME, "cluster name", name::label);
    let repository = image_repository(written, check);
    let release = kubernetes(written, check);
    let version = release.map(|(version, _)| version);
    let networks = network::check(&written.networks, check);
    let kube_proxy = components::kube_proxy(&written.kube_proxy, check);
    let kubelet = components::kubelet(&written.kubelet, check);
    let kubeadm = components::kubeadm(&written.kubeadm, check);
    let containerd = components::containerd(&written.containerd, check);
    let pods = networks.as_ref().map(|networks| networks.pods);
    let calico = calico::check(&written.calico, version, kube_proxy.mode, pods, check);
    let upgrade = upgrade(&written.upgrade, check);
    let hosts = self::hosts(inventory, networks.as_ref(), check);
    let endpoint = hosts::endpoint(written, &hosts, check);
    let packages = packages::check(&inventory.packages, version, check);
    let registries = site::registries(&inventory.registries, check);
    let storage = storage::check(inventory, &hosts, check);
    let backup = backup::check(&inventory.backup, check);
    let (time, sysctl) = (
        site::time(&inventory.time, check),
        sysctl::check(&inventory.sysctl, check),
    );
    let proxy = site::proxy(&inventory.proxy, check);

    let hosts: Vec<Host> = hosts.into_iter().map(|(_, host)| host).collect();
    let jenkins = jenkins::check(inventory.jenkins.as_ref(), &hosts, check);
    let (networks, endpoint, mut proxy, registries) = (networks?, endpoint?, proxy?, registries?);
    proxy.complete(&hosts, &networks, &endpoint.host);
    let ((kubeadm, sans), (kubernetes, images), image_repository) = (kubeadm?, release?, repository?);
    let sans = complete_sans(sans, &endpoint, &hosts);
    Some(with_egress(Cluster {
        name: name?,
        kubernetes,
        kubernetes_minor: kubernetes.line(),
        kubernetes_releases: release::newest(),
        upgrade: upgrade?,
        images: KubernetesImages::new(&image_repository, kubernetes, images),
        image_repository,
        api_server: ApiServer { sans },
        endpoint,
        networks,
        kube_proxy,
        hardening: written.hardening,
        hardening_fields: HardeningFields::beside(&kubelet.as_ref()?.extra_config),
        kubelet: kubelet?,
        kubeadm,
        containerd: containerd?,
        calico: calico?,
        hosts,
        packages: packages?,
        image_servers: site::image_servers(&registries),
        registries,
        storage: storage?,
        firewall: inventory.firewall,
        selinux: inventory.selinux,
        time: time?,
        proxy,
        sysctl: sysctl?,
        preflight: inventory.preflight.clone(),
        jenkins: jenkins?,
        backup: backup?,
        egress: Egress::default(),
    }))
}

fn image_repository(written: &inventory::ClusterSpec, check: &mut RuleContext<'_>) -> Option<String> {
    check.parse(
        &written.image_repository,
        &code::BAD_ADDRESS,
        "image repository",
        form::image_repository,
    )
}

/// What builds may reach follows from all the rest.
fn with_egress(mut cluster: Cluster) -> Cluster {
    cluster.egress = Egress::from_cluster(&cluster);
    cluster
}

/// The hosts, and whether they fit each other and the networks.
fn hosts<'a>(
    inventory: &'a Inventory,
    networks: Option<&Networks>,
    check: &mut RuleContext<'_>,
) -> Vec<(&'a inventory::HostSpec, Host)> {
    let hosts = hosts::check(inventory, check);
    if !check.document.incomplete {
        hosts::control_planes(inventory, &hosts, check);
    }
    if let Some(networks) = networks {
        capacity::check(networks, &inventory.cluster, &hosts, check);
    }
    hosts
}

fn kubernetes(
    written: &inventory::ClusterSpec,
    check: &mut RuleContext<'_>,
) -> Option<(Version, ImageVersions)> {
    let span = written.kubernetes.span;
    let version: Version = check.parse(
        &written.kubernetes,
        &code::BAD_VERSION,
        "Kubernetes release",
        str::parse,
    )?;
    let Some(line) = release::line(version) else {
        let known: Vec<String> = release::LINES
            .iter()
            .map(|line| format!("1.{}", line.minor))
            .collect();
        check.report(
            Diagnostic::error(
                &code::UNSUPPORTED_KUBERNETES,
                format!("Kubernetes {version} is not supported"),
            )
            .at(span, format!("supported are {}", known.join(", "))),
        );
        return None;
    };
    if version.patch > line.newest_patch {
        let newest = Version {
            patch: line.newest_patch,
            ..version
        };
        check.report(
            Diagnostic::warning(
                &code::UNTESTED_KUBERNETES,
                format!("Kubernetes {version} is newer than this program"),
            )
            .at(span, format!("{newest} is the newest that it knows"))
            .help("images pulled ahead and the pause image are those of the newest known release"),
        );
    }
    Some((version, line.image_versions(version.patch)))
}

fn upgrade(written: &inventory::UpgradeSpec, check: &mut RuleContext<'_>) -> Option<Upgrade> {
    let at_once = &written.workers_at_once;
    if at_once.value == 0 {
        let problem = Diagnostic::error(&code::OUT_OF_RANGE, "no worker at once");
        check.report(problem.at(at_once.span, "1 or more"));
        return None;
    }
    Some(Upgrade {
        workers_at_once: at_once.value,
    })
}

/// Every name and address under which a client may reach an API server.
fn complete_sans(extra: Vec<String>, endpoint: &Endpoint, hosts: &[Host]) -> Vec<String> {
    let mut sans = vec![endpoint.host.clone()];
    for host in hosts.iter().filter(|host| host.roles.control_plane) {
        sans.extend([host.name.to_string(), host.address.to_string()]);
    }
    // Clients go through an SSH tunnel to the loopback address of a control plane.
    sans.extend(["localhost".to_owned(), "127.0.0.1".to_owned()]);
    sans.extend(extra);
    let mut seen = std::collections::HashSet::new();
    sans.retain(|name| seen.insert(name.clone()));
    sans
}
