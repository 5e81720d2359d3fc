//! The ways between hosts: ports, and how large packets may be.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::Firewall;
use crate::model::PreflightCheck;

use super::answer::{Answer, Outcome, PathMtu, State};
use super::cause::causes;
use super::finding::Finding;
use super::probe::{Port, Way};
use super::round::Scene;

/// Bytes that VXLAN adds to a pod's packet.
const VXLAN: u32 = 50;

/// Ports that are closed. What this run opens by itself counts as open.
pub(super) fn ports(scene: &Scene<'_>) -> Vec<Finding> {
    let mut tried = BTreeSet::new();
    let mut closed = BTreeMap::new();
    let mut unknown: BTreeMap<&str, usize> = BTreeMap::new();
    for (host, question, answer) in scene.answers() {
        for (index, way) in question.ways.iter().enumerate() {
            let Some(outcome) = answer.ways.get(&index) else {
                *unknown.entry(host).or_default() += 1;
                continue;
            };
            // Of a host that is off, its silence tells nothing.
            let Some(target) = scene.answer(&way.to) else {
                continue;
            };
            if is_settled(way, *outcome, target) {
                continue;
            }
            tried.insert(way.clone());
            let is_open = matches!(outcome, Outcome::Connected | Outcome::Refused);
            let will_be_open = *outcome != Outcome::Forbidden && opens(scene.firewall(), target);
            if !is_open && !will_be_open {
                closed.insert(way.clone(), *outcome);
            }
        }
    }
    let without_answer = unknown.into_iter().map(|(host, number)| {
        let message = format!("{host} said nothing about {number} of the ways to other hosts");
        Finding::error(
            PreflightCheck::Ports,
            host,
            message,
            "does bash run there, with /dev/tcp?",
        )
    });
    let found = causes(&tried, &closed);
    let found = found.into_iter().map(|cause| {
        let mut hosts = cause.hosts(&closed);
        // A node stays as it is: who wants to join it is kept waiting.
        if hosts.iter().all(|host| scene.is_member(host)) {
            let others = closed
                .keys()
                .filter(|way| hosts.contains(&way.to) || hosts.contains(&way.from));
            let others: Vec<_> = others
                .flat_map(|way| [way.from.clone(), way.to.clone()])
                .collect();
            hosts.extend(others);
        }
        let help = "open it in the firewall on that host or between the hosts (the cluster's ports are listed in docs/preflight.md); \
                    what firewalld and ufw hold back, `firewall: managed` opens";
        Finding::error(PreflightCheck::Ports, "", cause.message(), help).between(hosts.into_iter().collect())
    });
    without_answer.chain(found).collect()
}

/// Whether nothing can be learnt: a datagram that a listener takes is not answered.
fn is_settled(way: &Way, outcome: Outcome, target: &Answer) -> bool {
    match (way.port, outcome) {
        (Port::Udp(port), Outcome::Silent) => target.listens(true, port),
        _ => false,
    }
}

/// Whether this run takes down what is in the way at the target.
fn opens(firewall: Firewall, target: &Answer) -> bool {
    firewall != Firewall::Ignore && target.firewall.is_some()
}

/// Paths that don't take packets as large as the interfaces at their ends.
pub(super) fn mtu(scene: &Scene<'_>) -> Vec<Finding> {
    let wanted = scene.cluster.calico.mtu;
    let mut findings = Vec::new();
    for (host, question, answer) in scene.answers() {
        for (index, (link, path)) in &answer.mtus {
            let Some(way) = question.ways.get(*index) else {
                continue;
            };
            let ends = vec![host.to_owned(), way.to.clone()];
            let needed = if wanted == 0 { *link } else { wanted + VXLAN };
            let (message, help) = match path {
                PathMtu::Whole => continue,
                PathMtu::Limited(mtu) if *mtu >= needed => continue,
                PathMtu::Limited(mtu) => (
                    format!(
                        "packets of {needed} bytes don't get from {host} to {}: the way takes {mtu} at the most",
                        way.to
                    ),
                    format!(
                        "set `cluster.calico.mtu` to {}, or the MTU of the interfaces to {mtu}",
                        mtu.saturating_sub(VXLAN)
                    ),
                ),
                PathMtu::Vanished if *link > needed => continue,
                PathMtu::Vanished => (
                    format!(
                        "packets of {link} bytes vanish between {host} and {}, and small ones don't",
                        way.to
                    ),
                    "set `cluster.calico.mtu` 50 below what the way takes (`ping -M do -s SIZE`), or fix the way".to_owned(),
                ),
            };
            findings.push(Finding::error(PreflightCheck::Mtu, host, message, help).between(ends));
        }
    }
    alike(findings)
}

/// One finding for each host that has several of them, and the number of the others.
fn alike(findings: Vec<Finding>) -> Vec<Finding> {
    let mut reported: Vec<(Finding, usize)> = Vec::new();
    for finding in findings {
        match reported
            .iter_mut()
            .find(|(other, _)| other.hosts.first() == finding.hosts.first())
        {
            Some((other, more)) => {
                other.hosts.extend(finding.hosts);
                *more += 1;
            }
            None => reported.push((finding, 0)),
        }
    }
    reported
        .into_iter()
        .map(|(mut finding, more)| {
            if more > 0 {
                finding
                    .message
                    .push_str(&format!(" (so do {more} more ways from there)"));
            }
            finding.hosts.sort();
            finding.hosts.dedup();
            finding
        })
        .collect()
}

/// Whether a host still is to become a node.
pub(super) fn is_newcomer(answer: &Answer) -> bool {
    answer.state != State::Member
}
