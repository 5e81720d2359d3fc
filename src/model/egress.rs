//! What pods of builds may reach besides pods, in the words of `NetworkPolicies`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::{API_PORT, Cluster, Endpoint, Registry};

/// `NodePorts`, as kube-apiserver gives them out.
const NODE_PORTS: (u16, u16) = (30000, 32767);
/// rpcbind, NFS, and mountd where the product makes the server. No build needs them: nodes mount its volumes.
const NFS_PORTS: [u16; 3] = [111, 2049, 20048];
/// Ports of hosts that no registry or proxy opens to builds: ssh, BGP, etcd, Typha, the API server, kubelet and kube-proxy.
const HOST_PORTS: [(u16, u16); 6] = [
    (22, 22),
    (179, 179),
    (2379, 2381),
    (5473, 5473),
    (API_PORT, API_PORT),
    (10248, 10259),
];
/// Addresses that lead to the machine itself or to its cloud's metadata.
const LINK_LOCAL: [&str; 2] = ["169.254.0.0/16", "fe80::/10"];
/// Where the DNS cache of a node listens, if there is one.
const NODE_LOCAL_DNS: &str = "169.254.20.10";

/// What pods of builds may reach besides pods. It has one address family, that of the pods.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Egress {
    /// The cluster's DNS servers, where they are not reached as pods.
    pub dns: Vec<IpBlock>,
    /// Everything outside of the cluster but link-local addresses, the NFS server and the hosts.
    pub outside: Vec<IpBlock>,
    /// Its ports: all but those of NFS, since a server may have more addresses than the inventory knows.
    pub outside_ports: Vec<Ports>,
    /// The hosts.
    pub hosts: Vec<IpBlock>,
    /// Their ports for everybody: `NodePorts`.
    pub host_ports: Vec<Ports>,
    /// Registries and proxies that are on hosts, or may be.
    pub services: Vec<HostService>,
    /// The control planes.
    pub api_servers: Vec<IpBlock>,
    /// Their ports.
    pub api_ports: Vec<Ports>,
}

/// Addresses, as a peer of a `NetworkPolicy` has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IpBlock {
    /// The network.
    pub cidr: IpNet,
    /// Parts of it that are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<IpNet>,
}

/// A port or a range of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ports {
    /// `TCP` or `UDP`.
    pub protocol: &'static str,
    /// The first.
    pub port: u16,
    /// The last of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_port: Option<u16>,
}

/// A port of hosts on which a registry or a proxy answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostService {
    /// The hosts.
    pub hosts: Vec<IpBlock>,
    /// The port.
    pub ports: Vec<Ports>,
}

impl IpBlock {
    fn host(address: IpAddr) -> Self {
        Self {
            cidr: address.into(),
            except: Vec::new(),
        }
    }
}

impl Ports {
    fn range(protocol: &'static str, (first, last): (u16, u16)) -> Self {
        Self {
            protocol,
            port: first,
            end_port: (last > first).then_some(last),
        }
    }
}

impl Egress {
    /// Works it out of a cluster.
    pub(super) fn from_cluster(cluster: &Cluster) -> Self {
        let guarded = Guarded::from_cluster(cluster);
        let blocks = |addresses: &BTreeSet<IpAddr>| addresses.iter().copied().map(IpBlock::host).collect();
        let api_servers = cluster.control_planes().map(|host| host.address);
        let api_servers = guarded.known(api_servers.chain(address(&cluster.endpoint.host)));
        Self {
            dns: guarded.dns(cluster),
            outside: vec![guarded.outside(cluster)],
            outside_ports: outside_ports(cluster),
            hosts: blocks(&guarded.hosts),
            host_ports: ["TCP", "UDP"]
                .map(|protocol| Ports::range(protocol, NODE_PORTS))
                .into(),
            services: guarded.services(cluster),
            api_servers: blocks(&api_servers),
            api_ports: api_ports(cluster),
        }
    }
}

/// The port of each API server, and that of the endpoint before them.
fn api_ports(cluster: &Cluster) -> Vec<Ports> {
    let ports = BTreeSet::from([API_PORT, cluster.endpoint.port]);
    ports
        .into_iter()
        .map(|port| Ports::range("TCP", (port, port)))
        .collect()
}

fn address(text: &str) -> Option<IpAddr> {
    text.trim_matches(['[', ']']).parse().ok()
}

/// Addresses that builds must not reach as they reach others.
struct Guarded {
    ipv4: bool,
    /// Of hosts: their own, those by which they are logged in to, and the endpoint before them.
    hosts: BTreeSet<IpAddr>,
    /// Of hosts and of the NFS server.
    all: BTreeSet<IpAddr>,
}

impl Guarded {
    fn from_cluster(cluster: &Cluster) -> Self {
        let ipv4 = cluster.networks.pods.addr().is_ipv4();
        let of_hosts = cluster
            .hosts
            .iter()
            .flat_map(|host| [Some(host.address), address(&host.ssh.address)])
            .flatten();
        let hosts: BTreeSet<_> = of_hosts
            .chain(address(&cluster.endpoint.host))
            .filter(|address| address.is_ipv4() == ipv4 && !address.is_loopback())
            .collect();
        let nfs = cluster.storage.iter().filter_map(|storage| storage.nfs.as_ref());
        let nfs = nfs
            .filter_map(|nfs| address(&nfs.server))
            .filter(|address| address.is_ipv4() == ipv4);
        let all = hosts.iter().copied().chain(nfs).collect();
        Self { ipv4, hosts, all }
    }

    /// Those of the addresses that are guarded.
    fn known(&self, addresses: impl Iterator<Item = IpAddr>) -> BTreeSet<IpAddr> {
        addresses.filter(|address| self.all.contains(address)).collect()
    }

    fn dns(&self, cluster: &Cluster) -> Vec<IpBlock> {
        let local = address(NODE_LOCAL_DNS).filter(|_| self.ipv4);
        let addresses = std::iter::once(cluster.networks.dns).chain(local);
        addresses.map(IpBlock::host).collect()
    }

    fn outside(&self, cluster: &Cluster) -> IpBlock {
        let everything = if self.ipv4 { "0.0.0.0/0" } else { "::/0" };
        let link_local = LINK_LOCAL.iter().filter_map(|network| network.parse().ok());
        let networks = [cluster.networks.pods, cluster.networks.services];
        let networks = link_local.chain(networks);
        let except = networks
            .filter(|network: &IpNet| network.addr().is_ipv4() == self.ipv4)
            .chain(self.all.iter().copied().map(IpNet::from));
        IpBlock {
            cidr: everything.parse().unwrap_or(cluster.networks.pods),
            except: except.collect(),
        }
    }

    /// Registries, proxies and Jenkins' own address, as far as they are on guarded hosts.
    fn services(&self, cluster: &Cluster) -> Vec<HostService> {
        let mut ports: BTreeMap<BTreeSet<IpAddr>, BTreeSet<u16>> = BTreeMap::new();
        for endpoint in endpoints(cluster) {
            let hosts = self.places(&endpoint.host, cluster);
            if !hosts.is_empty() && !is_guarded(endpoint.port) {
                ports.entry(hosts).or_default().insert(endpoint.port);
            }
        }
        let service = |(hosts, ports): (BTreeSet<IpAddr>, BTreeSet<u16>)| HostService {
            hosts: hosts.into_iter().map(IpBlock::host).collect(),
            ports: ports
                .into_iter()
                .map(|port| Ports::range("TCP", (port, port)))
                .collect(),
        };
        ports.into_iter().map(service).collect()
    }

    /// Where something may be. A name that is none of a host may lead to any of them.
    fn places(&self, name: &str, cluster: &Cluster) -> BTreeSet<IpAddr> {
        match address(name).or_else(|| cluster.host(name).map(|host| host.address)) {
            Some(address) => self.known(std::iter::once(address)),
            None => self.all.clone(),
        }
    }
}

fn is_guarded(port: u16) -> bool {
    let of_hosts = |(first, last): &(u16, u16)| (*first..=*last).contains(&port);
    NFS_PORTS.contains(&port) || HOST_PORTS.iter().any(of_hosts)
}

/// What builds are told to ask by name: registries with their mirrors, proxies, Jenkins.
fn endpoints(cluster: &Cluster) -> Vec<Endpoint> {
    let mirrors = cluster.registries.iter().flat_map(|registry| &registry.mirrors);
    let proxies = cluster.proxy.http.iter().chain(&cluster.proxy.https);
    let jenkins = cluster.jenkins.iter().map(|jenkins| &jenkins.url);
    let urls = mirrors
        .chain(proxies)
        .chain(jenkins)
        .filter_map(|url| of_url(url));
    urls.chain(cluster.registries.iter().flat_map(of_registry))
        .collect()
}

fn of_url(url: &str) -> Option<Endpoint> {
    let (scheme, rest) = url.split_once("://")?;
    let usual = if scheme == "http" { 80 } else { 443 };
    of_authority(rest.split(['/', '?', '#']).next()?, usual)
}

/// A registry whose certificate is not checked may speak plain HTTP as well.
fn of_registry(registry: &Registry) -> Vec<Endpoint> {
    let usual: &[u16] = if registry.insecure { &[443, 80] } else { &[443] };
    usual
        .iter()
        .filter_map(|port| of_authority(&registry.name, *port))
        .collect()
}

fn of_authority(authority: &str, usual: u16) -> Option<Endpoint> {
    Endpoint::parse(authority)
        .or_else(|_| Endpoint::parse(&format!("{authority}:{usual}")))
        .ok()
}

/// All ports but those of NFS, with the one that mount options name.
fn outside_ports(cluster: &Cluster) -> Vec<Ports> {
    let options = cluster
        .storage
        .iter()
        .flat_map(|storage| &storage.class.mount_options);
    let named =
        options.filter_map(|option| option.strip_prefix("port=").or(option.strip_prefix("mountport=")));
    let named = named.filter_map(|port| port.parse().ok());
    let closed: BTreeSet<u16> = named.chain(NFS_PORTS).collect();
    let mut open = Vec::new();
    let mut first = 1;
    for port in closed {
        if port > first {
            open.push((first, port - 1));
        }
        first = port.saturating_add(1);
    }
    open.push((first, u16::MAX));
    let ranges = |protocol| open.iter().map(move |range| Ports::range(protocol, *range));
    ranges("TCP").chain(ranges("UDP")).collect()
}

#[cfg(test)]
mod tests;
