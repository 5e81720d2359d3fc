//! The ways that are tried: which host reaches which, on which port.

use std::collections::BTreeSet;
use std::fmt;

use crate::model::Cluster;

/// With more nodes than this, a worker tries some other workers only.
const ALL_PAIRS: usize = 40;
/// How many others a worker tries then.
const NEIGHBOURS: usize = 8;

/// A port, with its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Port {
    /// Of TCP.
    Tcp(u16),
    /// Of UDP.
    Udp(u16),
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(port) => write!(f, "TCP {port}"),
            Self::Udp(port) => write!(f, "UDP {port}"),
        }
    }
}

/// One way: from a host to another, by their names, on a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Way {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) port: Port,
}

/// Every way that the cluster needs, by the ports of playbooks/00-values.yaml.
pub(super) fn ways(cluster: &Cluster) -> BTreeSet<Way> {
    let control_planes: Vec<_> = cluster.control_planes().map(|host| host.name.as_str()).collect();
    let nodes: Vec<_> = cluster.nodes().map(|host| host.name.as_str()).collect();
    let mut ways = BTreeSet::new();
    let mut need = |from: &str, to: &str, port: Port| {
        if from != to {
            let (from, to) = (from.to_owned(), to.to_owned());
            ways.insert(Way { from, to, port });
        }
    };
    for control_plane in &control_planes {
        for node in &nodes {
            need(node, control_plane, Port::Tcp(6443));
            need(control_plane, node, Port::Tcp(10250));
        }
        for other in &control_planes {
            need(control_plane, other, Port::Tcp(2379));
            need(control_plane, other, Port::Tcp(2380));
        }
    }
    let pods = if cluster.calico.bgp {
        Port::Tcp(179)
    } else {
        Port::Udp(4789)
    };
    for (index, node) in nodes.iter().enumerate() {
        for other in peers(index, &nodes, &control_planes) {
            need(node, other, pods);
        }
    }
    if let Some(server) = nfs_host(cluster) {
        for node in &nodes {
            for port in nfs_ports(cluster) {
                need(node, server, port);
            }
        }
    }
    ways
}

/// The nodes that the one at `index` tries: all, or in a large fleet the control planes and those after it.
fn peers<'a>(index: usize, nodes: &[&'a str], control_planes: &[&'a str]) -> Vec<&'a str> {
    if nodes.len() <= ALL_PAIRS || control_planes.contains(&nodes[index]) {
        return nodes.to_vec();
    }
    let next = nodes.iter().cycle().skip(index + 1).take(NEIGHBOURS);
    control_planes.iter().chain(next).copied().collect()
}

/// The host of the inventory that exports the share.
fn nfs_host(cluster: &Cluster) -> Option<&str> {
    let nfs = cluster.storage.as_ref()?.nfs.as_ref()?;
    nfs.export.as_ref().map(|export| export.host.as_str())
}

/// NFS, and what version 3 needs besides.
pub(super) fn nfs_ports(cluster: &Cluster) -> Vec<Port> {
    let options = cluster
        .storage
        .iter()
        .flat_map(|storage| &storage.class.mount_options);
    let is_3 = |option: &String| ["nfsvers=3", "vers=3"].contains(&option.as_str());
    if options.into_iter().any(is_3) {
        vec![Port::Tcp(2049), Port::Tcp(111), Port::Tcp(20048)]
    } else {
        vec![Port::Tcp(2049)]
    }
}
