//! What the program says to Jenkins: its REST API, by HTTP through a host.
//!
//! Names nothing of Kubernetes: a [`JenkinsClient`] is made from a way to its HTTP port and a login. Calls, answers and their oddities are those of
//! Jenkins 2.541 and later with the plugins kubernetes, workflow-aggregator, git and configuration-as-code.

mod boot;
mod build;
mod client;
mod configuration;
mod error;
mod export_diff;
mod job;
mod job_diff;
mod overview;
mod page;
mod pipeline;
mod plugins;
mod refusal;
mod update_site;

pub use boot::boot_failure;
pub use build::{Build, QueueItem};
pub use client::JenkinsClient;
pub use error::JenkinsError;
pub use export_diff::contradictions;
pub use job_diff::{DiffError, differences};
pub use overview::{Overview, QueuedBuild};
pub use pipeline::{GitPipeline, MARK, inline_pipeline_xml};
pub use plugins::{InstalledPlugin, broken_plugins, other_versions};
pub use refusal::is_refusal;
pub use update_site::{LockedPlugin, MetadataError, SecurityWarning, UpdateSiteMetadata, resolve};
