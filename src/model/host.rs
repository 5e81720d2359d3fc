//! Hosts.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::check::RuleContext;
use super::{HostName, SshAccess, code, name, ssh};
use crate::diagnostic::Diagnostic;
use crate::inventory::{self, Role};
use crate::yaml::{Entries, Spanned};

/// What a host is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Roles {
    /// Runs the API server and etcd.
    pub control_plane: bool,
    /// Runs pods.
    pub worker: bool,
    /// Exports the share of the cluster's storage.
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

/// Names that mean something else on every machine, and those of places that aren't hosts in reports and for `--limit`.
const RESERVED: &[&str] = &["localhost", "kubernetes", "localdomain", "cluster", "registries"];

pub(super) fn check(
    written: &inventory::HostSpec,
    inventory: &inventory::Inventory,
    check: &mut RuleContext<'_>,
) -> Option<Host> {
    let name = check.parse(&written.name, &code::BAD_NAME, "host name", HostName::parse);
    if RESERVED.contains(&&*written.name.value) {
        let title = format!("a host can't be named `{}`", written.name.value);
        check.report(Diagnostic::error(&code::RESERVED_NAME, title).at(written.name.span, ""));
    }
    let address = address(&written.address, check);
    let labels = labels(&written.labels, own_label, check);
    let taints = check.parse_all(&written.taints, &code::BAD_TAINT, "taint", taint);
    let roles = roles(written, check);
    let labelled = written
        .labels
        .iter()
        .map(|(key, _)| key)
        .chain(&written.taints)
        .next();
    if let Some(first) = labelled.filter(|_| roles.nfs && !roles.control_plane && !roles.worker) {
        let title = format!(
            "host `{}` has labels or taints, but does not join the cluster",
            written.name.value
        );
        let problem = Diagnostic::warning(&code::UNUSED_NODE_SETTINGS, title).at(first.span, "");
        check.report(problem.help("give it the role `worker` or `control-plane`, or remove them"));
    }
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

fn address(written: &Spanned<String>, check: &mut RuleContext<'_>) -> Option<IpAddr> {
    let parse = |text: &str| {
        let hint = "such as 10.0.0.11; a name goes into `sshAddress`";
        text.parse::<IpAddr>().map_err(|_| hint.to_owned())
    };
    let address = check.parse(written, &code::BAD_ADDRESS, "IP address", parse)?;
    if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
        let title = format!("other hosts can't reach a host at {address}");
        let problem = Diagnostic::error(&code::BAD_ADDRESS, title).at(written.span, "");
        check.report(problem.help("write the address that the host has in the network of the others"));
        return None;
    }
    Some(address)
}

fn roles(written: &inventory::HostSpec, check: &mut RuleContext<'_>) -> Roles {
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

/// Labels of a node, or those by which nodes are chosen; `allowed` is what keys must keep to besides their form.
pub(super) fn labels(
    written: &Entries<Spanned<String>>,
    allowed: fn(&str) -> Result<(), String>,
    check: &mut RuleContext<'_>,
) -> Option<BTreeMap<String, String>> {
    let labels: Vec<_> = written
        .iter()
        .map(|(key, value)| {
            let owned = |text: &str| text.to_owned();
            let key = check.parse(key, &code::BAD_LABEL, "label", |text| {
                allowed(text)?;
                name::qualified(text).map(|()| owned(text))
            });
            let value = check.parse(value, &code::BAD_LABEL, "label value", |text| {
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
