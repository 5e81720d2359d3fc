//! The cluster's networks.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::check::RuleContext;
use super::{code, name};
use crate::diagnostic::{Diagnostic, Span};
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

pub(super) fn check(written: &inventory::NetworksSpec, check: &mut RuleContext<'_>) -> Option<Networks> {
    let pods = check.parse(&written.pods, &code::BAD_ADDRESS, "network", network);
    let services = check.parse(&written.services, &code::BAD_ADDRESS, "network", network);
    let domain = check.parse(&written.domain, &code::BAD_NAME, "DNS domain", name::domain);
    if let (Some(pods), Some(services)) = (pods, services) {
        report_overlap(written, pods, services, check);
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

fn report_overlap(
    written: &inventory::NetworksSpec,
    pods: IpNet,
    services: IpNet,
    check: &mut RuleContext<'_>,
) {
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

fn large_enough(services: IpNet, span: Span, check: &mut RuleContext<'_>) -> bool {
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

fn node_prefix(written: &inventory::NetworksSpec, pods: IpNet, check: &mut RuleContext<'_>) -> Option<u8> {
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
    }
}
