//! ci-bootstrap: from bare Linux hosts to a working CI system, over SSH, by one idempotent command.
//!
//! `docs/architecture.md` is the map of these modules; `tests/architecture.rs` holds it against the code.

pub mod cli;
pub mod cluster_api;
pub mod diagnostic;
pub mod event;
pub mod inventory;
pub mod model;
pub mod report;
pub mod resource;
pub mod secret;
pub mod ssh;
pub mod transport;
pub mod yaml;
