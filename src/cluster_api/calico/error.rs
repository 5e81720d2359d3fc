//! What can be wrong with a Calico manifest or a live pool.

use crate::cluster_api::error::ApiError;

/// Why Calico can't be set up as the inventory asks.
#[derive(Debug, thiserror::Error)]
pub enum CalicoError {
    /// Something that both release manifests have is not there.
    #[error(
        "the manifest has no {missing}; it must be `calico.yaml` or `calico-vxlan.yaml` of a Calico release \
         (not the operator's, not the one with Typha)"
    )]
    Layout {
        /// What was looked for.
        missing: String,
    },
    /// The manifest is of another release than the inventory names.
    #[error(
        "the manifest is of Calico {found}, and the inventory says {wanted}: correct `version`, or the manifest's address"
    )]
    OtherRelease {
        /// Tag of the manifest's images.
        found: String,
        /// As in the inventory.
        wanted: String,
    },
    /// A pod network that this program can't give to Calico.
    #[error("the pod network {0} is not IPv4, which is all that this program sets up")]
    NotIpv4(ipnet::IpNet),
    /// A setting of the live pool that can't be changed in place.
    #[error(
        "the cluster's address pool {pool} has {field} {live}, and the inventory says {wanted}: this can't be changed \
         while pods use the pool. Put {live} back into the inventory, or move the cluster by hand: create a second \
         pool, disable this one, recreate all pods, delete this one"
    )]
    PoolIsFixed {
        /// Name of the `IPPool`.
        pool: String,
        /// Its field.
        field: &'static str,
        /// The live value.
        live: String,
        /// The wanted value.
        wanted: String,
    },
    /// The API server can't be asked.
    #[error(transparent)]
    Api(#[from] ApiError),
}
