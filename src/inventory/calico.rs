//! The `cluster.calico` section.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::yaml::Spanned;

/// How pod traffic travels between hosts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Encapsulation {
    /// Always in VXLAN packets: works on every network.
    #[default]
    #[serde(rename = "VXLAN")]
    Vxlan,
    /// In VXLAN packets between subnets, plain within one.
    #[serde(rename = "VXLANCrossSubnet")]
    VxlanCrossSubnet,
    /// Always in IP-in-IP packets, with BGP.
    #[serde(rename = "IPIP")]
    Ipip,
    /// In IP-in-IP packets between subnets, plain within one, with BGP.
    #[serde(rename = "IPIPCrossSubnet")]
    IpipCrossSubnet,
    /// Plain; the network must know the routes.
    None,
}

/// How Calico programs the kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dataplane {
    /// nftables if kube-proxy uses nftables, else iptables.
    #[default]
    Auto,
    /// iptables.
    Iptables,
    /// nftables.
    Nftables,
}

/// The pod network.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CalicoSpec {
    /// Release of Calico.
    pub version: Spanned<String>,
    /// How pod traffic travels between hosts.
    pub encapsulation: Spanned<Encapsulation>,
    /// MTU of the pods' interfaces; `0` finds it out from the hosts' interfaces.
    pub mtu: Spanned<u32>,
    /// Size of the blocks in which nodes take pod addresses, as a prefix length. It can't be changed later.
    /// Without it: 26, or 122 for an IPv6 network.
    #[schemars(example = &26)]
    pub block_size: Option<Spanned<u8>>,
    /// Let pods reach the outside with their host's address.
    pub nat_outgoing: Spanned<bool>,
    /// Where the release manifest comes from. Without it: upstream's address for this version.
    pub manifest: ManifestSpec,
    /// Registry of Calico's images.
    pub image_registry: Spanned<String>,
    /// How Calico programs the kernel.
    pub dataplane: Spanned<Dataplane>,
}

impl Default for CalicoSpec {
    fn default() -> Self {
        Self {
            version: "3.32.1".into(),
            encapsulation: Spanned::default(),
            mtu: 0.into(),
            block_size: None,
            nat_outgoing: true.into(),
            manifest: ManifestSpec::default(),
            image_registry: "quay.io".into(),
            dataplane: Spanned::default(),
        }
    }
}

/// An upstream manifest: from a URL or a file, checked by its SHA-256.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ManifestSpec {
    /// Fetched from here, by the machine on which ci-bootstrap runs.
    pub url: Option<Spanned<String>>,
    /// Read from this file, relative to the inventory.
    pub path: Option<Spanned<String>>,
    /// SHA-256 of the manifest, in hexadecimal. Needed for releases whose checksum this program does not know.
    pub sha256: Option<Spanned<String>>,
}
