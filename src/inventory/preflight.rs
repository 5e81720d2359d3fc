//! The `preflight` section.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Checks before the first change.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PreflightSpec {
    /// Checks whose findings are left out, for a site that knows better.
    #[schemars(example = &["disk-latency"])]
    pub ignore: Vec<PreflightCheck>,
}

/// A check of `ci-bootstrap preflight`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PreflightCheck {
    /// The ports between the hosts are open.
    Ports,
    /// Packets as large as the interfaces allow get from host to host.
    Mtu,
    /// The clocks of the hosts agree.
    Clock,
    /// Each host has an identity of its own: machine ID, MAC address, host keys.
    Identity,
    /// Each host has its address and a route to the others.
    Addresses,
    /// The networks of the cluster are used nowhere else.
    Networks,
    /// Pods get a DNS server that they can reach.
    Dns,
    /// Nothing on a host competes with the cluster: other distributions, pod networks, busy ports.
    Conflicts,
    /// The disks have room.
    DiskSpace,
    /// The disk of etcd is fast enough.
    DiskLatency,
    /// Package repositories answer.
    Repositories,
    /// Container registries answer.
    Registries,
}

impl PreflightCheck {
    /// All checks, in the order in which they are reported.
    pub const ALL: [Self; 12] = [
        Self::Ports,
        Self::Mtu,
        Self::Clock,
        Self::Identity,
        Self::Addresses,
        Self::Networks,
        Self::Dns,
        Self::Conflicts,
        Self::DiskSpace,
        Self::DiskLatency,
        Self::Repositories,
        Self::Registries,
    ];

    /// Its name in inventories, on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ports => "ports",
            Self::Mtu => "mtu",
            Self::Clock => "clock",
            Self::Identity => "identity",
            Self::Addresses => "addresses",
            Self::Networks => "networks",
            Self::Dns => "dns",
            Self::Conflicts => "conflicts",
            Self::DiskSpace => "disk-space",
            Self::DiskLatency => "disk-latency",
            Self::Repositories => "repositories",
            Self::Registries => "registries",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PreflightCheck;

    #[test]
    fn a_check_has_one_name() {
        for check in PreflightCheck::ALL {
            assert_eq!(serde_json::to_value(check).ok(), Some(check.name().into()));
        }
    }
}
