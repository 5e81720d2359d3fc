//! Hosts.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::IpAddr;

use serde::Serialize;

use super::check::Check;
use super::{HostName, SshAccess, code, endpoint, name, ssh};
use crate::diagnostic::Diagnostic;
use crate::inventory::{self, Role};
use crate::yaml::Spanned;

/// What a host is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Roles {
    /// Runs the API server and etcd.
    pub control_plane: bool,
    /// Runs pods.
    pub worker: bool,
    /// Exports directories for the cluster's storage.
    pub nfs: bool,
}

/// A taint of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value; may be empty.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

/// A machine.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Host {
    /// Hostname and node name.
    pub name: HostName,
    /// Address by which the other hosts reach it, and the node's address.
    pub address: IpAddr,
    /// What it is for; nothing at all for a host that is prepared only.
    pub roles: Roles,
    /// Labels of the node.
    pub labels: BTreeMap<String, String>,
    /// Taints of the node, besides the one of control planes that are no workers.
    pub taints: Vec<Taint>,
    /// How to log in.
    #[serde(skip)]
    pub ssh: SshAccess,
}

impl Host {
    /// Whether it joins the cluster.
    pub fn is_node(&self) -> bool {
        self.roles.control_plane || self.roles.worker
    }
}

/// Names that mean something else on every machine.
const RESERVED: &[&str] = &["localhost", "kubernetes", "localdomain"];

/// Checks the hosts one by one and against each other; those that are well-formed are returned with what was written.
pub(super) fn check<'a>(
    written: &'a inventory::Inventory,
    check: &mut Check<'_>,
) -> Vec<(&'a inventory::Host, Host)> {
    unique(&written.hosts, check);
    let hosts = written.hosts.iter();
    let hosts: Vec<_> = hosts
        .filter_map(|host| Some((host, self::host(host, written, check)?)))
        .collect();
    unique_logins(&hosts, check);
    hosts
}

fn host(written: &inventory::Host, inventory: &inventory::Inventory, check: &mut Check<'_>) -> Option<Host> {
    let name = check.parse(&written.name, &code::BAD_NAME, "host name", HostName::parse);
    if RESERVED.contains(&&*written.name.value) {
        let title = format!("a host can't be named `{}`", written.name.value);
        check.report(Diagnostic::error(&code::RESERVED_NAME, title).at(written.name.span, ""));
    }
    let address = check.parse(&written.address, &code::BAD_ADDRESS, "IP address", address);
    let labels = labels(written, check);
    let taints = check.parse_all(&written.taints, &code::BAD_TAINT, "taint", taint);
    let roles = roles(written, check);
    let ssh = ssh::check(written, inventory, check);
    Some(Host {
        name: name?,
        address: address?,
        roles,
        labels: labels?,
        taints: taints?,
        ssh: ssh?,
    })
}

fn address(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text
        .parse()
        .map_err(|_| "such as 10.0.0.11; a name goes into `sshAddress`")?;
    if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
        return Err("other hosts can't reach it there".to_owned());
    }
    Ok(address)
}

fn roles(written: &inventory::Host, check: &mut Check<'_>) -> Roles {
    let mut roles = Roles::default();
    for role in &written.roles.value {
        let known = match role.value {
            Role::ControlPlane => &mut roles.control_plane,
            Role::Worker => &mut roles.worker,
            Role::Nfs => &mut roles.nfs,
        };
        if std::mem::replace(known, true) {
            let title = format!("host `{}` has a role twice", written.name.value);
            check.report(Diagnostic::error(&code::DUPLICATE_ROLE, title).at(role.span, ""));
        }
    }
    roles
}

fn labels(written: &inventory::Host, check: &mut Check<'_>) -> Option<BTreeMap<String, String>> {
    let labels: Vec<_> = written
        .labels
        .iter()
        .map(|(key, value)| {
            let owned = |text: &str| text.to_owned();
            let key = check.parse(key, &code::BAD_LABEL, "label", |text| {
                own_label(text)?;
                name::qualified(text).map(|()| owned(text))
            });
            let value = check.parse(value, &code::BAD_LABEL, "value of a label", |text| {
                name::label_value(text).map(|()| owned(text))
            });
            Some((key?, value?))
        })
        .collect();
    labels.into_iter().collect()
}

/// Labels that the API server does not let a node have.
fn own_label(key: &str) -> Result<(), String> {
    let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
    let kubernetes = ["kubernetes.io", "k8s.io"].iter().any(|domain| {
        prefix
            .strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    let allowed = prefix.ends_with("node.kubernetes.io") || prefix == "topology.kubernetes.io";
    if kubernetes && !allowed {
        return Err(
            "labels of this prefix belong to Kubernetes; take `node.kubernetes.io/…` or a prefix of yours"
                .to_owned(),
        );
    }
    Ok(())
}

fn taint(text: &str) -> Result<Taint, String> {
    let (pair, effect) = text
        .rsplit_once(':')
        .ok_or("write `key=value:effect` or `key:effect`")?;
    if !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect) {
        return Err("the effect is `NoSchedule`, `PreferNoSchedule` or `NoExecute`".to_owned());
    }
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    name::qualified(key)?;
    name::label_value(value)?;
    Ok(Taint {
        key: key.to_owned(),
        value: value.to_owned(),
        effect: effect.to_owned(),
    })
}

fn unique(hosts: &[inventory::Host], check: &mut Check<'_>) {
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
    seen: &mut HashMap<K, &'a inventory::Host>,
    key: K,
    host: &'a inventory::Host,
) -> Option<&'a inventory::Host> {
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
fn unique_logins(hosts: &[(&inventory::Host, Host)], check: &mut Check<'_>) {
    let mut seen = HashMap::new();
    for (host, model) in hosts {
        let jump = model.ssh.jump.as_ref().map(|jump| &jump.address);
        let login = (&model.ssh.address, model.ssh.port.unwrap_or(22), jump);
        let Some(first) = first_of(&mut seen, login, host) else {
            continue;
        };
        if host.ssh_address.is_some() || first.ssh_address.is_some() {
            let title = format!(
                "hosts `{}` and `{}` have the same login",
                first.name.value, host.name.value
            );
            let written =
                |host: &'_ inventory::Host| host.ssh_address.clone().unwrap_or_else(|| host.address.clone());
            check.report(same_machine(title, &written(host), &written(first)));
        }
    }
}

/// The rules about which hosts a cluster needs.
pub(super) fn control_planes(
    written: &inventory::Inventory,
    hosts: &[(&inventory::Host, Host)],
    check: &mut Check<'_>,
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
            Diagnostic::error(&code::EVEN_CONTROL_PLANES, title)
                .at(last, "the last of them")
                .help("etcd needs a majority: take one, three or five control planes"),
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
    written: &inventory::Cluster,
    hosts: &[(&inventory::Host, Host)],
    check: &mut Check<'_>,
) -> Option<endpoint::Endpoint> {
    match &written.endpoint {
        Some(text) => check.parse(text, &code::BAD_ADDRESS, "endpoint", endpoint::Endpoint::parse),
        None => hosts
            .iter()
            .find(|(_, host)| host.roles.control_plane)
            .or(hosts.first())
            .map(|(_, host)| endpoint::Endpoint {
                host: host.address.to_string(),
                port: 6443,
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taints_are_key_value_effect() {
        assert!(taint("dedicated=ci:NoSchedule").is_ok_and(|taint| taint.value == "ci"));
        assert!(taint("dedicated:NoExecute").is_ok_and(|taint| taint.value.is_empty()));
        for bad in [
            "dedicated",
            "dedicated=ci",
            "a b:NoSchedule",
            "a=b:noschedule",
            ":NoSchedule",
        ] {
            assert!(taint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn labels_of_kubernetes_are_not_ours_to_set() {
        for good in [
            "pool",
            "ci.example/pool",
            "node.kubernetes.io/pool",
            "topology.kubernetes.io/zone",
            "notk8s.io/a",
        ] {
            assert_eq!(own_label(good), Ok(()), "{good}");
        }
        assert!(own_label("kubernetes.io/hostname").is_err());
        assert!(own_label("node-role.kubernetes.io/worker").is_err());
    }
}
