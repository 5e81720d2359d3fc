//! The cluster's networks.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::check::Check;
use super::{Host, calico, code, name};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::inventory;

/// The cluster's networks: disjoint, and large enough for what is in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Networks {
    /// Network of the pods.
    pub pods: IpNet,
    /// Prefix length of each node's part of `pods`.
    pub node_prefix: u8,
    /// Network of the Services.
    pub services: IpNet,
    /// DNS domain of the cluster.
    pub domain: String,
    /// Service address of the cluster's DNS server: the tenth of `services`.
    pub dns: IpAddr,
    /// Service address of the API server: the first of `services`.
    pub api_server: IpAddr,
}

pub(super) fn check(written: &inventory::Networks, check: &mut Check<'_>) -> Option<Networks> {
    let pods = check.parse(&written.pods, &code::BAD_ADDRESS, "network", network);
    let services = check.parse(&written.services, &code::BAD_ADDRESS, "network", network);
    let domain = check.parse(&written.domain, &code::BAD_NAME, "DNS domain", name::domain);
    if let (Some(pods), Some(services)) = (pods, services) {
        disjoint(written, pods, services, check);
    }
    let services = services.filter(|services| large_enough(*services, written.services.span, check));
    let node_prefix = pods.and_then(|pods| node_prefix(written, pods, check));
    let services = services?;
    Some(Networks {
        pods: pods?,
        node_prefix: node_prefix?,
        services,
        domain: domain?,
        dns: nth(services, 10),
        api_server: nth(services, 1),
    })
}

fn network(text: &str) -> Result<IpNet, String> {
    let network: IpNet = text
        .parse()
        .map_err(|_| "write an address and a prefix length, such as 10.244.0.0/16")?;
    if network.trunc() != network {
        return Err(format!("the network of this address is {}", network.trunc()));
    }
    Ok(network)
}

fn disjoint(written: &inventory::Networks, pods: IpNet, services: IpNet, check: &mut Check<'_>) {
    if pods.addr().is_ipv4() != services.addr().is_ipv4() {
        check.report(
            Diagnostic::error(
                &code::ADDRESS_FAMILY,
                "pods and Services use different address families",
            )
            .at(written.services.span, format!("Services: {services}"))
            .at(written.pods.span, format!("pods: {pods}")),
        );
    }
    if pods.contains(&services) || services.contains(&pods) {
        check.report(
            Diagnostic::error(
                &code::OVERLAPPING_NETWORKS,
                "the networks of pods and Services overlap",
            )
            .at(written.services.span, format!("Services: {services}"))
            .at(written.pods.span, format!("pods: {pods}"))
            .help("choose two private networks that are used nowhere in your site"),
        );
    }
}

fn large_enough(services: IpNet, span: Span, check: &mut Check<'_>) -> bool {
    let (smallest, largest) = if services.addr().is_ipv4() {
        (28, 12)
    } else {
        (124, 108)
    };
    if services.prefix_len() > smallest {
        check.report(
            Diagnostic::error(
                &code::SERVICE_NETWORK_TOO_SMALL,
                format!("{services} is too small for Services"),
            )
            .at(span, format!("a prefix length of {smallest} at most")),
        );
        return false;
    }
    if services.prefix_len() < largest {
        let title = format!("{services} is larger than Kubernetes allows for Services");
        let problem = Diagnostic::error(&code::OUT_OF_RANGE, title);
        check.report(problem.at(span, format!("a prefix length of {largest} at least")));
        return false;
    }
    true
}

fn node_prefix(written: &inventory::Networks, pods: IpNet, check: &mut Check<'_>) -> Option<u8> {
    let (usual, smallest) = if pods.addr().is_ipv4() {
        (24, 30)
    } else {
        (120, 126)
    };
    let (prefix, span) = match &written.node_prefix {
        Some(prefix) => (prefix.value, prefix.span),
        None => (usual, written.pods.span),
    };
    // The controller manager keeps a bitmap of the parts and takes no more than 16 bits for it.
    let largest = pods.prefix_len();
    if prefix < largest || prefix > smallest || prefix > largest.saturating_add(16) {
        let title = format!("each node can't have a part of prefix length {prefix} of {pods}");
        let range = format!(
            "between {largest} and {}",
            smallest.min(largest.saturating_add(16))
        );
        check.report(Diagnostic::error(&code::OUT_OF_RANGE, title).at(span, range));
        return None;
    }
    Some(prefix)
}

/// The address at a position of a network that is large enough.
fn nth(network: IpNet, position: u8) -> IpAddr {
    match network {
        IpNet::V4(network) => {
            IpAddr::from((u32::from(network.network()) + u32::from(position)).to_be_bytes())
        }
        IpNet::V6(network) => {
            IpAddr::from((u128::from(network.network()) + u128::from(position)).to_be_bytes())
        }
    }
}

/// How many parts of prefix length `part` a network has, as far as 32 bits count.
fn parts(network: IpNet, part: u8) -> u64 {
    1 << u32::from(part.saturating_sub(network.prefix_len())).min(32)
}

/// The rules between networks and what lives in them.
pub(super) fn fits(
    networks: &Networks,
    written: &inventory::Cluster,
    hosts: &[(&inventory::Host, Host)],
    check: &mut Check<'_>,
) {
    apart_from_hosts(networks, &written.networks, hosts, check);
    let nodes = hosts.iter().filter(|(_, host)| host.is_node()).count() as u64;
    let room = parts(networks.pods, networks.node_prefix);
    if nodes > room {
        let title = format!(
            "{} has parts for {room} nodes only, and there are {nodes}",
            networks.pods
        );
        let span = written
            .networks
            .node_prefix
            .as_ref()
            .map_or(written.networks.pods.span, |prefix| prefix.span);
        check.report(
            Diagnostic::error(&code::POD_NETWORK_TOO_SMALL, title)
                .at(
                    span,
                    format!("each node takes a part of prefix length {}", networks.node_prefix),
                )
                .help("take a larger pod network or a larger `nodePrefix`"),
        );
    }
    pods_per_node(networks, written, check);
    block_size(networks, &written.calico, nodes, check);
}

fn apart_from_hosts(
    networks: &Networks,
    written: &inventory::Networks,
    hosts: &[(&inventory::Host, Host)],
    check: &mut Check<'_>,
) {
    let pods = written.pods.span;
    let strangers = |host: &Host| host.address.is_ipv4() != networks.pods.addr().is_ipv4();
    let code = &code::ADDRESS_FAMILY;
    if let Some(problem) = about_hosts(code, hosts, strangers, "of another address family than the pods") {
        check.report(problem.at(pods, format!("pods: {}", networks.pods)));
    }
    let code = &code::OVERLAPPING_NETWORKS;
    for (network, span, what) in [
        (networks.pods, pods, "pods"),
        (networks.services, written.services.span, "Services"),
    ] {
        let inside = |host: &Host| network.contains(&host.address);
        if let Some(problem) = about_hosts(
            code,
            hosts,
            inside,
            &format!("in the network of the {what}, {network}"),
        ) {
            let help = format!("choose a network for {what} that is used nowhere in your site");
            check.report(problem.at(span, format!("{what}: {network}")).help(help));
        }
    }
}

/// One problem for all hosts that it is about, however many: the first few are shown.
fn about_hosts(
    code: &'static Code,
    hosts: &[(&inventory::Host, Host)],
    about: impl Fn(&Host) -> bool,
    what: &str,
) -> Option<Diagnostic> {
    const SHOWN: usize = 3;
    let found: Vec<_> = hosts.iter().filter(|(_, host)| about(host)).collect();
    let (first, _) = found.first()?;
    let title = match found.len() {
        1 => format!("the address of host `{}` is {what}", first.name.value),
        count => format!("the addresses of {count} hosts are {what}"),
    };
    let problem = Diagnostic::error(code, title);
    let shown = found.iter().take(SHOWN);
    Some(shown.fold(problem, |problem, (host, _)| {
        problem.at(host.address.span, "a host")
    }))
}

fn pods_per_node(networks: &Networks, written: &inventory::Cluster, check: &mut Check<'_>) {
    let bits = if networks.pods.addr().is_ipv4() { 32 } else { 128 };
    let addresses = 1_u64 << (bits - u32::from(networks.node_prefix)).min(32);
    let pods = &written.kubelet.max_pods;
    if u64::from(pods.value) > addresses.saturating_sub(2) {
        let title = format!(
            "{} pods on a node have no room in its part of the pod network",
            pods.value
        );
        let part = written
            .networks
            .node_prefix
            .as_ref()
            .map_or(Span::NONE, |prefix| prefix.span);
        check.report(
            Diagnostic::error(&code::TOO_MANY_PODS, title)
                .at(pods.span, "so many pods")
                .at(part, format!("{addresses} addresses"))
                .help(format!(
                    "a `nodePrefix` of {} gives each node {addresses} addresses",
                    networks.node_prefix
                )),
        );
    }
}

fn block_size(networks: &Networks, written: &inventory::Calico, nodes: u64, check: &mut Check<'_>) {
    let (smallest, largest) = if networks.pods.addr().is_ipv4() {
        (32, 20)
    } else {
        (128, 116)
    };
    let size = calico::block_size(written, networks.pods);
    let span = written.block_size.map_or(Span::NONE, |size| size.span);
    let range = largest.max(networks.pods.prefix_len())..=smallest;
    if !range.contains(&size) {
        let title = format!(
            "Calico can't divide {} into blocks of prefix length {size}",
            networks.pods
        );
        check.report(
            Diagnostic::error(&code::BLOCK_SIZE, title)
                .at(span, "")
                .help(format!(
                    "`calico.blockSize` can be from {} to {smallest} here",
                    range.start()
                )),
        );
    } else if parts(networks.pods, size) < nodes {
        let title = format!(
            "{} has fewer blocks of prefix length {size} than there are nodes",
            networks.pods
        );
        let problem = Diagnostic::error(&code::BLOCK_SIZE, title).at(span, format!("{nodes} nodes"));
        check.report(problem.help("take a larger pod network or smaller blocks"));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn networks_are_written_by_their_first_address() {
        assert!(network("10.244.0.0/16").is_ok());
        assert!(network("10.244.0.1/16").unwrap_err().contains("10.244.0.0/16"));
        assert!(network("10.244.0.0").is_err());
    }

    #[test]
    fn addresses_of_a_network_count_from_its_first() {
        assert_eq!(nth("10.96.0.0/16".parse().unwrap(), 10).to_string(), "10.96.0.10");
        assert_eq!(nth("fd00::/108".parse().unwrap(), 10).to_string(), "fd00::a");
        assert_eq!(parts("10.244.0.0/16".parse().unwrap(), 24), 256);
    }
}
