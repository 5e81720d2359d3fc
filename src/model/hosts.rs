//! Hosts together: what must differ between them, and which a cluster needs.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::IpAddr;

use super::check::RuleContext;
use super::endpoint::{API_PORT, Endpoint};
use super::{Host, code, host};
use crate::diagnostic::Diagnostic;
use crate::inventory::{self, Role};
use crate::yaml::Spanned;

/// Checks the hosts one by one and against each other; those that are well-formed are returned with what was written.
pub(super) fn check<'a>(
    written: &'a inventory::Inventory,
    check: &mut RuleContext<'_>,
) -> Vec<(&'a inventory::HostSpec, Host)> {
    unique(&written.hosts, check);
    let hosts = written.hosts.iter();
    let hosts: Vec<_> = hosts
        .filter_map(|host| Some((host, host::check(host, written, check)?)))
        .collect();
    unique_logins(&hosts, check);
    hosts
}

fn unique(hosts: &[inventory::HostSpec], check: &mut RuleContext<'_>) {
    let (mut names, mut addresses) = (HashMap::new(), HashMap::new());
    for host in hosts {
        if let Some(first) = first_of(&mut names, host.name.value.as_str(), host) {
            check.report(
                Diagnostic::error(
                    &code::DUPLICATE_HOST,
                    format!("two hosts are named `{}`", host.name.value),
                )
                .at(host.name.span, "used again here")
                .at(first.name.span, "first used here")
                .help("host names become names of Kubernetes nodes; make each unique"),
            );
        }
        let Ok(address) = host.address.parse::<IpAddr>() else {
            continue;
        };
        if let Some(first) = first_of(&mut addresses, address, host) {
            let title = format!("two hosts have the address {}", host.address.value);
            check.report(same_machine(title, &host.address, &first.address));
        }
    }
}

/// The first host with this key; none if this is the first.
fn first_of<'a, K: Eq + Hash>(
    seen: &mut HashMap<K, &'a inventory::HostSpec>,
    key: K,
    host: &'a inventory::HostSpec,
) -> Option<&'a inventory::HostSpec> {
    match seen.entry(key) {
        Entry::Occupied(first) => Some(first.get()),
        Entry::Vacant(place) => {
            place.insert(host);
            None
        }
    }
}

fn same_machine(title: String, again: &Spanned<String>, first: &Spanned<String>) -> Diagnostic {
    Diagnostic::error(&code::DUPLICATE_ADDRESS, title)
        .at(again.span, "again here")
        .at(first.span, "first here")
        .help("each host is a machine of its own")
}

/// Two hosts that are logged in to at the same place are one machine, whatever their addresses.
fn unique_logins(hosts: &[(&inventory::HostSpec, Host)], check: &mut RuleContext<'_>) {
    let mut seen = HashMap::new();
    for (host, model) in hosts {
        let jump = model.ssh.jump.as_ref().map(|jump| &jump.address);
        let login = (&model.ssh.address, model.ssh.port(), jump);
        let Some(first) = first_of(&mut seen, login, host) else {
            continue;
        };
        if host.ssh_address.is_some() || first.ssh_address.is_some() {
            let title = format!(
                "hosts `{}` and `{}` have the same login",
                first.name.value, host.name.value
            );
            let written = |host: &'_ inventory::HostSpec| {
                host.ssh_address.clone().unwrap_or_else(|| host.address.clone())
            };
            check.report(same_machine(title, &written(host), &written(first)));
        }
    }
}

/// The rules about which hosts a cluster needs.
pub(super) fn control_planes(
    written: &inventory::Inventory,
    hosts: &[(&inventory::HostSpec, Host)],
    check: &mut RuleContext<'_>,
) {
    let with = |wanted: Role| {
        let hosts = written.hosts.iter();
        hosts.filter_map(move |host| host.roles.iter().find(|role| role.value == wanted))
    };
    let control_planes = with(Role::ControlPlane).count();
    if hosts.is_empty() && written.hosts.is_empty() {
        let problem = Diagnostic::error(&code::NO_HOSTS, "there are no hosts").at(written.hosts.span, "");
        check.report(problem.help("`ci-bootstrap init ADDRESS…` writes an inventory with hosts"));
    }
    if control_planes == 0
        && let Some(worker) = with(Role::Worker).next()
    {
        check.report(
            Diagnostic::error(&code::NO_CONTROL_PLANE, "there are workers, but no control plane")
                .at(worker.span, "it has nothing to join")
                .help("give one host the role `control-plane`"),
        );
    }
    if control_planes > 0 && control_planes % 2 == 0 {
        let last = with(Role::ControlPlane)
            .next_back()
            .map(|role| role.span)
            .unwrap_or_default();
        let title = format!(
            "{control_planes} control planes survive no more failures than {}",
            control_planes - 1
        );
        check.report(
            Diagnostic::warning(&code::EVEN_CONTROL_PLANES, title)
                .at(last, "the last of them")
                .help("etcd needs a majority: take one, three or five control planes; an even number will do until a lost one is replaced"),
        );
    }
    if control_planes > 1 && written.cluster.endpoint.is_none() {
        let last = with(Role::ControlPlane)
            .nth(1)
            .map(|role| role.span)
            .unwrap_or_default();
        check.report(
            Diagnostic::error(&code::MISSING_ENDPOINT, "several control planes need a common endpoint")
                .at(last, "the second control plane")
                .help("set `cluster.endpoint` to a name or address that leads to all of them, `api.ci.example:6443`"),
        );
    }
}

/// The endpoint of the API server: as written, or on the first control plane.
pub(super) fn endpoint(
    written: &inventory::ClusterSpec,
    hosts: &[(&inventory::HostSpec, Host)],
    check: &mut RuleContext<'_>,
) -> Option<Endpoint> {
    match &written.endpoint {
        Some(text) => check.parse(text, &code::BAD_ADDRESS, "endpoint", Endpoint::parse),
        None => hosts
            .iter()
            .find(|(_, host)| host.roles.control_plane)
            .or(hosts.first())
            .map(|(_, host)| Endpoint {
                host: host.address.to_string(),
                port: API_PORT,
            }),
    }
}
