//! ci-bootstrap: from bare Linux hosts to a working CI system, over SSH, by one idempotent command.
//!
//! `docs/architecture.md` is the map of these modules; `tests/architecture.rs` holds it against the code.

pub mod apply;
pub mod bundle;
pub mod cli;
pub mod cluster_api;
pub mod cluster_resource;
pub mod diagnostic;
pub mod event;
pub mod fleet;
pub mod harbor;
pub mod inventory;
pub mod jenkins;
pub mod model;
pub mod observe;
pub mod plan;
pub mod playbook;
pub mod preflight;
pub mod recovery;
pub mod report;
pub mod resource;
pub mod secret;
#[cfg(test)]
#[path = "../tests/support/skip.rs"]
mod skip;
pub mod ssh;
pub mod template;
pub mod transport;
pub mod verify;
pub mod yaml;
