//! Steps, and the tracks they stand on.

use std::fmt;

use crate::cluster_resource::DesiredResource;
use crate::playbook::{Guard, Origin};
use crate::resource::Resource;

use super::{Limit, Limits, Milestone};

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
    /// Milestones it waits for.
    pub needs: Vec<Milestone>,
    /// Milestones it makes.
    pub provides: Vec<Milestone>,
    /// How many hosts at a time may be at steps of its group.
    pub limit: Option<Limit>,
    /// The playbook line it comes from.
    pub origin: Origin,
}

impl StepHead {
    /// The group in which hosts take turns at this step.
    pub fn group(&self) -> Option<&str> {
        self.limit.as_ref().map(|limit| limit.group.as_str())
    }
}

/// A step on a host.
#[derive(Debug)]
pub struct HostStep {
    /// Name, milestones, origin.
    pub head: StepHead,
    /// Condition that the host answers.
    pub guard: Guard,
    /// What is wanted.
    pub resource: Box<dyn Resource>,
}

/// A step done by requests: to the API server, or to a registry.
#[derive(Debug)]
pub struct ClusterStep {
    /// Name, milestones, origin.
    pub head: StepHead,
    /// What is wanted.
    pub resource: DesiredResource,
}

/// A step of either sort. In a host's track both may alternate.
#[derive(Debug)]
pub enum Step {
    /// On the host.
    Host(HostStep),
    /// By requests.
    Cluster(ClusterStep),
}

impl Step {
    /// Name, milestones, origin.
    pub fn head(&self) -> &StepHead {
        match self {
            Self::Host(step) => &step.head,
            Self::Cluster(step) => &step.head,
        }
    }

    pub(super) fn head_mut(&mut self) -> &mut StepHead {
        match self {
            Self::Host(step) => &mut step.head,
            Self::Cluster(step) => &mut step.head,
        }
    }
}

impl From<HostStep> for Step {
    fn from(step: HostStep) -> Self {
        Self::Host(step)
    }
}

impl From<ClusterStep> for Step {
    fn from(step: ClusterStep) -> Self {
        Self::Cluster(step)
    }
}

/// The steps of one place, in the order in which they are done.
#[derive(Debug)]
pub struct Track {
    /// Whose steps.
    pub place: Place,
    /// In their order. The cluster and the registries have no steps on a host.
    pub steps: Vec<Step>,
}

impl Track {
    /// The heads of all steps in order.
    pub fn heads(&self) -> impl Iterator<Item = &StepHead> {
        self.steps.iter().map(Step::head)
    }

    /// The steps on the host in order.
    pub fn host_steps(&self) -> impl DoubleEndedIterator<Item = &HostStep> {
        self.steps.iter().filter_map(|step| match step {
            Step::Host(step) => Some(step),
            Step::Cluster(_) => None,
        })
    }

    /// The steps that are done by requests in order.
    pub fn cluster_steps(&self) -> impl DoubleEndedIterator<Item = &ClusterStep> {
        self.steps.iter().filter_map(|step| match step {
            Step::Cluster(step) => Some(step),
            Step::Host(_) => None,
        })
    }
}

/// Everything a run is about.
#[derive(Debug)]
pub struct Plan {
    /// The cluster's name.
    pub cluster: String,
    /// Tracks: the hosts in the inventory's order, the registries where there is something to do, the cluster.
    pub tracks: Vec<Track>,
    /// How many hosts at a time may be at steps of each group.
    pub limits: Limits,
}
