//! Conflicts: what is on a host that wants to be what the cluster will be.

use std::collections::BTreeSet;

use crate::model::{Cluster, Host, PreflightCheck};

use super::answer::{Answer, State};
use super::finding::Finding;
use super::round::Scene;

/// Interfaces of other pod networks, by the beginning of their names.
const FOREIGN_LINKS: [(&str, &str); 6] = [
    ("cni0", "flannel or another bridge"),
    ("flannel", "flannel"),
    ("cilium", "Cilium"),
    ("weave", "Weave Net"),
    ("kube-bridge", "kube-router"),
    ("ovn", "OVN"),
];
/// The file that Calico writes. kubelet's runtime takes the first in the order of names.
const OURS: &str = "10-calico.conflist";
/// What an earlier Calico, and the runtime's package, leave.
const HARMLESS: [&str; 2] = [OURS, "99-loopback.conf"];

/// What a bare host has that is in the way. One that is on its way into a cluster is the matter of the steps that bring it there.
pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, _, answer) in scene
        .answers()
        .filter(|(_, _, answer)| answer.state == State::Bare)
    {
        let Some(host) = scene.cluster.host(name) else {
            continue;
        };
        if !host.is_node() {
            continue;
        }
        let error =
            |message: String, help: &str| Finding::error(PreflightCheck::Conflicts, name, message, help);
        findings.extend(answer.units.iter().map(|unit| {
            error(
                format!("the service {unit} runs: it is a cluster, or the runtime of one"),
                "uninstall it, or take another host",
            )
        }));
        findings.extend(pod_networks(name, answer));
        findings.extend(busy(scene.cluster, host, answer));
    }
    findings
}

fn pod_networks(name: &str, answer: &Answer) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in answer
        .cni
        .iter()
        .filter(|file| !HARMLESS.contains(&file.as_str()))
    {
        let path = format!("/etc/cni/net.d/{file}");
        findings.push(if file.as_str() < OURS {
            let message =
                format!("another pod network has left {path}, which the runtime takes before Calico's");
            Finding::error(
                PreflightCheck::Conflicts,
                name,
                message,
                "uninstall that network, or remove the file",
            )
        } else {
            let message = format!("there is another pod network's {path}; Calico's comes before it");
            Finding::warning(
                PreflightCheck::Conflicts,
                name,
                message,
                "remove it when nobody needs it",
            )
        });
    }
    let foreign = answer.links.iter().filter_map(|link| {
        let (_, network) = FOREIGN_LINKS.iter().find(|(start, _)| link.starts_with(start))?;
        let message = format!("there is an interface {link}, as {network} makes it");
        let help = format!("uninstall that network, then `ip link delete {link}`");
        Some(Finding::error(PreflightCheck::Conflicts, name, message, help))
    });
    findings.extend(foreign);
    findings
}

/// Ports that are taken already.
fn busy(cluster: &Cluster, host: &Host, answer: &Answer) -> Vec<Finding> {
    let mut needed: BTreeSet<(bool, u16)> = [(false, 10250), (false, 10248), (false, 10256)].into();
    if host.roles.control_plane {
        needed.extend([6443, 2379, 2380, 2381, 10257, 10259].map(|port| (false, port)));
    }
    needed.insert(if cluster.calico.bgp {
        (false, 179)
    } else {
        (true, 4789)
    });
    let mut reported = BTreeSet::new();
    answer
        .listeners
        .iter()
        .filter(|listener| needed.contains(&(listener.is_udp, listener.port)))
        .filter(|listener| reported.insert((listener.is_udp, listener.port)))
        .map(|listener| {
            let protocol = if listener.is_udp { "UDP" } else { "TCP" };
            let by = match listener.program.as_str() {
                "" => "something in the kernel, or in a container".to_owned(),
                program => format!("the program {program}"),
            };
            let message = format!("{protocol} {} is taken by {by}", listener.port);
            Finding::error(
                PreflightCheck::Conflicts,
                host.name.as_str(),
                message,
                "stop it: the cluster needs this port",
            )
        })
        .collect()
}
