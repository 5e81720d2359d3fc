//! Waits for workloads and nodes, and says why one does not become ready.
//!
//! [`state`] and [`causes`] are pure functions on objects; [`wait`] and [`scene`] do the reading.

mod causes;
mod container;
mod event;
mod explanation;
mod node_causes;
mod on_node;
mod pod_causes;
mod pods;
mod related_objects;
mod state;
#[cfg(test)]
mod tests;
mod volume_causes;
mod wait;

pub use explanation::{Cause, Explanation};
pub(super) use state::state;
pub use state::{RolloutKind, RolloutTarget};
pub use wait::RolloutError;
