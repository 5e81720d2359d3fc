//! The plan: tracks of steps, made from a valid cluster and the playbooks. Pure: no host is asked anything.

mod build;
mod limit;
mod milestone;
mod order;
#[cfg(test)]
mod registry_tests;
mod step;
mod values;

pub use build::{Catalog, PlanError, build};
pub use limit::{At, Limit, Limits};
pub use milestone::Milestone;
pub use step::{ClusterStep, HostStep, Place, Plan, Step, StepHead, Track};
