//! Steps, and the tracks they stand on.

use std::fmt;

use crate::cluster_resource::ClusterResource;
use crate::playbook::{Guard, Origin};
use crate::resource::Resource;

use super::Fact;

/// Where something is done.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A host, by its name in the inventory.
    Host(String),
    /// The cluster, through its API server.
    Cluster,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(name) => f.write_str(name),
            Self::Cluster => f.write_str("cluster"),
        }
    }
}

/// What every step has.
#[derive(Debug, Clone)]
pub struct StepHead {
    /// What a person reads.
    pub name: String,
    /// Facts it waits for.
    pub needs: Vec<Fact>,
    /// Facts it makes.
    pub provides: Vec<Fact>,
    /// The playbook line it comes from.
    pub origin: Origin,
}

/// A step on a host.
#[derive(Debug)]
pub struct HostStep {
    /// Name, facts, origin.
    pub head: StepHead,
    /// Condition that the host answers.
    pub guard: Guard,
    /// The group of steps of which only one host at a time may do one.
    pub exclusive: Option<String>,
    /// What is wanted.
    pub resource: Box<dyn Resource>,
}

/// A step done through the API server.
#[derive(Debug)]
pub struct ClusterStep {
    /// Name, facts, origin.
    pub head: StepHead,
    /// What is wanted.
    pub resource: Box<dyn ClusterResource>,
}

/// The ordered steps of one place: first those on the host, then those that the API server does for it.
#[derive(Debug)]
pub struct Track {
    /// Whose steps.
    pub place: Place,
    /// Steps on the host; none for the cluster.
    pub host_steps: Vec<HostStep>,
    /// Steps through the API server.
    pub cluster_steps: Vec<ClusterStep>,
}

impl Track {
    /// The heads of all steps in order.
    pub fn heads(&self) -> impl Iterator<Item = &StepHead> {
        self.host_steps
            .iter()
            .map(|step| &step.head)
            .chain(self.cluster_steps.iter().map(|step| &step.head))
    }
}

/// Everything a run is about.
#[derive(Debug)]
pub struct Plan {
    /// The cluster's name.
    pub cluster: String,
    /// Tracks, hosts in the inventory's order, then the cluster.
    pub tracks: Vec<Track>,
}
