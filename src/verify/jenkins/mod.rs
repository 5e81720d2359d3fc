//! Jenkins: that it answers with the configuration that is meant, and that a build passes.

use super::check::{Check, CheckProblem};
use crate::cluster_resource;
use crate::model::Cluster;

mod agent_pods;
mod controller;
mod smoke;
mod smoke_build;

/// The first needs ready nodes, the second the first.
pub(super) fn checks(cluster: &Cluster) -> Vec<Box<dyn Check>> {
    match &cluster.jenkins {
        Some(jenkins) => vec![
            Box::new(controller::Controller::from_jenkins(jenkins)),
            Box::new(smoke::Smoke::from_cluster(cluster, jenkins)),
        ],
        None => Vec::new(),
    }
}

impl From<cluster_resource::ClusterStepError> for CheckProblem {
    fn from(error: cluster_resource::ClusterStepError) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<crate::jenkins::JenkinsError> for CheckProblem {
    fn from(error: crate::jenkins::JenkinsError) -> Self {
        Self::failed(error.to_string())
    }
}
