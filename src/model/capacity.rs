//! Whether the networks suit what lives in them.

use ipnet::IpNet;

use super::check::RuleContext;
use super::{Host, Networks, calico, code};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::inventory;

/// How many parts of prefix length `part` a network has, as far as 32 bits count.
fn parts(network: IpNet, part: u8) -> u64 {
    1 << u32::from(part.saturating_sub(network.prefix_len())).min(32)
}

/// The rules between networks and what lives in them.
pub(super) fn check(
    networks: &Networks,
    written: &inventory::ClusterSpec,
    hosts: &[(&inventory::HostSpec, Host)],
    check: &mut RuleContext<'_>,
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
    written: &inventory::NetworksSpec,
    hosts: &[(&inventory::HostSpec, Host)],
    check: &mut RuleContext<'_>,
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
    hosts: &[(&inventory::HostSpec, Host)],
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

fn pods_per_node(networks: &Networks, written: &inventory::ClusterSpec, check: &mut RuleContext<'_>) {
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

fn block_size(networks: &Networks, written: &inventory::CalicoSpec, nodes: u64, check: &mut RuleContext<'_>) {
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
    use super::parts;

    #[test]
    fn parts_are_counted_without_overflow() {
        assert_eq!(parts("10.244.0.0/16".parse().unwrap(), 24), 256);
        assert_eq!(parts("10.244.0.0/24".parse().unwrap(), 16), 1);
        assert_eq!(parts("fd00::/8".parse().unwrap(), 128), 1 << 32);
    }
}
