//! Steps, and the tracks they stand on.

use std::fmt;

use crate::cluster_resource::Desired;
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
    /// The registries, through a host that reaches them.
    Registries,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(name) => f.write_str(name),
            Self::Cluster => f.write_str("cluster"),
            Self::Registries => f.write_str("registries"),
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

/// A step done by requests: to the API server, or to a registry.
#[derive(Debug)]
pub struct ClusterStep {
    /// Name, facts, origin.
    pub head: StepHead,
    /// What is wanted.
    pub resource: Desired,
}

/// The ordered steps of one place: first those on the host, then those done by requests.
#[derive(Debug)]
pub struct Track {
    /// Whose steps.
    pub place: Place,
    /// Steps on the host; none for the cluster and the registries.
    pub host_steps: Vec<HostStep>,
    /// Steps through the API server, or in the registries.
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
    /// Tracks: the hosts in the inventory's order, the registries where there is something to do, the cluster.
    pub tracks: Vec<Track>,
}
