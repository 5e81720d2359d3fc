//! Identity: no two hosts are copies of one.

use std::collections::BTreeMap;

use crate::model::PreflightCheck;

use super::answer::Answer;
use super::finding::{Finding, Severity};
use super::round::Scene;

/// Identities that hosts share, and hosts without one.
pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let machine_id = |answer: &Answer| vec![answer.machine_id.clone()];
    let mac = |answer: &Answer| vec![answer.mac.clone()];
    let mut findings = shared(scene, Severity::Error, "machine ID", machine_id, MACHINE_ID);
    findings.extend(shared(scene, Severity::Error, "MAC address", mac, MAC));
    let host_keys = |answer: &Answer| answer.host_keys.clone();
    findings.extend(shared(
        scene,
        Severity::Warning,
        "SSH host key",
        host_keys,
        HOST_KEY,
    ));
    findings.extend(without_machine_id(scene));
    findings
}

const MACHINE_ID: &str = "on each but one: `rm /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup`, and reboot. Hosts with one ID get the \
                          same address by DHCP, and their logs and leases are mixed up";
const MAC: &str = "give each machine an address of its own in the hypervisor";
const HOST_KEY: &str = "the hosts are copies of one image: who has one of them can pretend to be the others. `ssh-keygen -A` makes new keys when the old ones \
                        are gone";

fn shared(
    scene: &Scene<'_>,
    severity: Severity,
    what: &str,
    of: impl Fn(&Answer) -> Vec<String>,
    help: &str,
) -> Vec<Finding> {
    let mut owners: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (host, _, answer) in scene.answers() {
        let values = of(answer).into_iter();
        for value in values.filter(|value| !value.is_empty() && value != "00:00:00:00:00:00") {
            owners.entry(value).or_default().push(host.to_owned());
        }
    }
    let mut groups: Vec<_> = owners.into_values().filter(|hosts| hosts.len() > 1).collect();
    // Copies share keys of all kinds.
    groups.dedup();
    groups
        .into_iter()
        .map(|hosts| {
            let message = format!("{} have the same {what}", hosts.join(", "));
            let mut finding = Finding::error(PreflightCheck::Identity, "", message, help).between(hosts);
            finding.severity = severity;
            finding
        })
        .collect()
}

fn without_machine_id(scene: &Scene<'_>) -> Vec<Finding> {
    let is_id = |id: &str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    scene
        .answers()
        .filter(|(_, _, answer)| !is_id(&answer.machine_id))
        .map(|(host, ..)| {
            let message = "it has no machine ID in /etc/machine-id".to_owned();
            Finding::error(
                PreflightCheck::Identity,
                host,
                message,
                "run `systemd-machine-id-setup`",
            )
        })
        .collect()
}
