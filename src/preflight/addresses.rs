//! Addresses and networks: each host has its address and routes, and the cluster's networks are free.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::model::PreflightCheck;

use super::finding::Finding;
use super::round::Scene;
use super::ways::is_newcomer;

/// Addresses that hosts don't have, and peers without a route.
pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, question, answer) in scene.answers() {
        let Some(host) = scene.cluster.host(name) else {
            continue;
        };
        if !answer.addresses.contains(&host.address) {
            let message = format!("none of its interfaces has the address {}", host.address);
            let help = "write the address that the host itself has into `address`, and one to log in to into `sshAddress`";
            findings.push(Finding::error(PreflightCheck::Addresses, name, message, help));
            continue;
        }
        for (index, source) in &answer.sources {
            let Some(peer) = question.peers.get(*index) else {
                continue;
            };
            let ends = vec![name.to_owned(), peer.clone()];
            match source {
                None => {
                    let message = format!("{name} has no route to {peer}");
                    let finding = Finding::error(
                        PreflightCheck::Addresses,
                        name,
                        message,
                        "see `ip route get ADDRESS` there",
                    );
                    findings.push(finding.between(ends));
                }
                Some(source) if *source != host.address => {
                    let message = format!("{name} reaches {peer} as {source}, not as {}", host.address);
                    let help = "firewalls let in the addresses of the inventory: write that one, or change the route";
                    findings.push(Finding::warning(PreflightCheck::Addresses, name, message, help));
                    break;
                }
                Some(_) => {}
            }
        }
    }
    findings
}

/// Networks of pods and Services that something else uses.
pub(super) fn networks(scene: &Scene<'_>) -> Vec<Finding> {
    let networks = &scene.cluster.networks;
    let own = [("pods", networks.pods), ("services", networks.services)];
    let overlap = |one: &IpNet, other: &IpNet| one.contains(other) || other.contains(one);
    let mut findings = Vec::new();
    for (host, _, answer) in scene.answers().filter(|(_, _, answer)| is_newcomer(answer)) {
        let servers = answer
            .nameservers
            .iter()
            .filter_map(|server| server.parse::<IpAddr>().ok());
        let servers = servers.map(|server| ("its DNS server", IpNet::from(server)));
        let routes = answer.routes.iter().filter(|route| route.prefix_len() > 0);
        let used: Vec<_> = routes.map(|route| ("its route", *route)).chain(servers).collect();
        for (key, network) in own {
            // A Service's address may be in a network that hosts know nothing of, never the other way round.
            let Some((what, taken)) = used.iter().find(|(_, taken)| overlap(&network, taken)) else {
                continue;
            };
            let message =
                format!("{what} {taken} is inside of `cluster.networks.{key}` ({network}), or around it");
            let help = format!(
                "choose another network for `cluster.networks.{key}`: pods would not reach what is there"
            );
            findings.push(Finding::error(PreflightCheck::Networks, host, message, help));
        }
    }
    findings
}
