//! What a host is asked: one script.

use std::collections::BTreeSet;

use crate::model::{Cluster, Host};
use crate::resource::{Probe, Separator, sh};

use super::Depth;
use super::probe::{Port, Way};
use super::servers::Server;

const FACTS: &str = include_str!("facts.sh");
const LATENCY: &str = include_str!("latency.sh");
const NETWORK: &str = include_str!("network.bash");

/// What one host is asked. Its answers name ways, peers and servers by their position here.
#[derive(Debug)]
pub(super) struct Question {
    /// The ways from this host.
    pub(super) ways: Vec<Way>,
    /// The other hosts, to which it needs a route.
    pub(super) peers: Vec<String>,
    /// Servers outside.
    pub(super) servers: Vec<Server>,
    probe: Probe,
}

/// Directories that grow, and so need room.
pub(super) const PATHS: [&str; 4] = [
    "/var/lib/containerd",
    "/var/lib/kubelet",
    "/var/lib/etcd",
    "/var/log",
];

impl Question {
    /// What is asked of a host of the cluster.
    pub(super) fn new(cluster: &Cluster, host: &Host, ways: &BTreeSet<Way>, depth: Depth) -> Self {
        let ways: Vec<_> = ways
            .iter()
            .filter(|way| way.from == host.name.as_str())
            .cloned()
            .collect();
        let peers: BTreeSet<_> = ways.iter().map(|way| way.to.clone()).collect();
        let peers: Vec<_> = peers.into_iter().collect();
        let servers = super::servers::servers(cluster, host);
        let script = format!(
            "own={} wanted_resolver={} paths={}\n{FACTS}",
            sh::quote(&host.address.to_string()),
            sh::quote(cluster.kubelet.resolv_conf.as_deref().unwrap_or_default()),
            sh::quote(&PATHS.join(" "))
        );
        let mut probe = Probe::default();
        probe.script("began", "date +%s.%N");
        probe.script("facts", &script);
        if depth == Depth::Measure && host.roles.control_plane {
            probe.script("latency", LATENCY);
        }
        let questions = questions(cluster, &ways, &peers, &servers);
        let network = NETWORK.replace("@QUESTIONS@\n", &questions);
        probe.script(
            "network",
            &format!("bash -s <<'CI_BOOTSTRAP_NETWORK'\n{network}CI_BOOTSTRAP_NETWORK"),
        );
        // Sections stand in the order of their names: this one is the last.
        probe.script("went", "date +%s.%N");
        Self {
            ways,
            peers,
            servers,
            probe,
        }
    }

    /// The script that asks; `separator` parts its answers.
    pub(super) fn script(&self, separator: &Separator) -> String {
        self.probe.render(separator)
    }
}

/// The lines that network.bash works through.
fn questions(cluster: &Cluster, ways: &[Way], peers: &[String], servers: &[Server]) -> String {
    let address = |name: &String| cluster.host(name).map(|host| host.address.to_string());
    let mut lines = String::new();
    for (index, way) in ways.iter().enumerate() {
        let Some(address) = address(&way.to) else { continue };
        let (kind, port) = match way.port {
            Port::Tcp(port) => ("tcp", port),
            Port::Udp(port) => ("udp", port),
        };
        lines.push_str(&format!("{kind} {index} {address} {port}\n"));
    }
    for (index, peer) in peers.iter().enumerate() {
        if let Some(address) = address(peer) {
            lines.push_str(&format!("route {index} {address}\n"));
        }
    }
    for (index, server) in servers.iter().enumerate() {
        lines.push_str(&server.question(index));
    }
    lines
}
