//! What a bundle is of.

use serde::{Deserialize, Serialize};

use super::BundleError;

/// Newest layout of bundles that this program knows, and the one that it writes: a signed one.
pub const FORMAT: u32 = 2;
/// The last layout without a signature.
pub(super) const UNSIGNED_FORMAT: u32 = 1;

/// The first member of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleHeader {
    /// Layout of the bundle.
    pub format: u32,
    /// Version of the program that made it.
    pub program: String,
    /// When it was begun, RFC 3339 in UTC.
    pub made: String,
    /// The cluster's name.
    pub cluster: String,
    /// Its release of Kubernetes, without a `v`.
    pub kubernetes: String,
    /// Where its API server was reached.
    pub endpoint: String,
    /// Its networks: pods, Services, domain. They can't be changed by a restore.
    pub networks: [String; 3],
    /// Names of the inventory's hosts.
    pub hosts: Vec<String>,
    /// The control plane that etcd's snapshot is from.
    pub taken_on: String,
    /// What tells Jenkins' home from other homes, where the bundle has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jenkins_home: Option<String>,
}

impl BundleHeader {
    /// Reads the first member. Its format is looked at before anything else of it: a newer one may have other fields.
    pub(super) fn parse(text: &[u8]) -> Result<Self, BundleError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
            #[serde(default)]
            program: String,
        }
        let unreadable = |error: serde_json::Error| BundleError::Damaged(format!("bundle.json: {error}"));
        let Format { format, program } = serde_json::from_slice(text).map_err(unreadable)?;
        if format > FORMAT {
            return Err(BundleError::Newer { format, program });
        }
        serde_json::from_slice(text).map_err(unreadable)
    }
}
