//! Everything the program says to the Kubernetes API server, through SSH; the only user of kube.
//!
//! Owns the connection ([`Api`]), comparison and server-side apply of plain JSON objects, and what the program
//! reads of nodes, pods and tokens. Takes and gives plain values: no type of kube leaves this module.

mod apply;
mod ca_hash;
mod calico;
mod call;
mod client;
mod compare;
mod configuration;
mod cordon;
mod covers;
mod diff;
mod error;
mod generated_secret;
mod https;
mod kinds;
mod kubeconfig;
mod node;
mod node_settings;
mod object;
mod objects;
mod pods;
mod release;
mod restart;
mod restored;
mod rollout;
mod sha256;
mod shared_directories;
mod space;
#[cfg(test)]
pub(crate) mod standin;
mod status;
#[cfg(test)]
mod tests;
mod token;

pub use calico::{CalicoError, customise};
pub use client::Api;
pub use compare::{Difference, DifferenceKind};
pub use configuration::KubeadmConfiguration;
pub use cordon::{Cordon, Cordoning};
pub use error::{ApiError, Rejection};
pub use https::{http, https};
pub use kubeconfig::Kubeconfig;
pub use node::{Condition, Node, NodeTaint};
pub use node_settings::NodeSettings;
pub use object::{Object, ObjectId};
pub use pods::{Container, PodCommandResult};
pub use release::{FetchError, ReleaseError, Releases};
pub use rollout::{Cause, Explanation, RolloutError, RolloutKind, RolloutTarget};
pub use shared_directories::SharedDirectory;
pub use space::{FreeSpace, NodeSpace, VolumeSpace};
pub use status::{ClusterStatus, HealthCheck, WorkloadStatus};
pub use token::{BootstrapToken, LeftoverToken};

/// The name under which the API server records what is ours.
pub const MANAGER: &str = "ci-bootstrap";
