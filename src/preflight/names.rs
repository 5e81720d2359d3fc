//! Names: pods ask a DNS server that they reach.

use std::net::IpAddr;

use crate::model::PreflightCheck;

use super::finding::Finding;
use super::round::Scene;
use super::ways::is_newcomer;

/// Resolvers that CoreDNS can't ask: in its pod, a loop-back address is CoreDNS itself.
pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (host, _, answer) in scene.answers().filter(|(_, _, answer)| is_newcomer(answer)) {
        let is_loopback =
            |server: &&String| server.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        if let Some(server) = answer.nameservers.iter().find(is_loopback) {
            let message = format!(
                "{} names {server}: CoreDNS would ask itself, and end with `plugin/loop: Loop`",
                answer.resolver
            );
            findings.push(Finding::error(PreflightCheck::Dns, host, message, RESOLVER));
        } else if answer.nameservers.is_empty() {
            let message = format!(
                "{} names no DNS server: pods will know no names outside",
                answer.resolver
            );
            findings.push(Finding::warning(PreflightCheck::Dns, host, message, RESOLVER));
        }
    }
    findings
}

const RESOLVER: &str = "write a file with a `nameserver` that other hosts reach, too, on each host, and name it in `cluster.kubelet.resolvConf`; with \
                        systemd-resolved running, its own file is found";
