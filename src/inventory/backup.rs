//! What is known of the cluster's backups.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::yaml::Spanned;

/// What is known of the cluster's backups.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupSpec {
    /// The public key that bundles of this cluster are signed with, as `ci-bootstrap backup` prints it. A restore refuses a bundle that another
    /// key has signed. Without it, nobody can tell where a bundle comes from, and a restore asks first.
    #[schemars(example = &"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBROjRwWiAF7mtfQI5IPs9cykfQrqq1/PqxfStnf/HFm")]
    pub signer: Option<Spanned<String>>,
}
