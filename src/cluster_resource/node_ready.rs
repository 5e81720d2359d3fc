//! A node that must be ready: its kubelet serves and its network is up.

use std::time::Duration;

use futures::future::BoxFuture;

use super::rollout::observe;
use super::{ClusterResource, ClusterStepError, ProgressSink};
use crate::cluster_api::{Api, RolloutTarget};
use crate::model::Host;
use crate::resource::Comparison;

/// The pod network's images have to be pulled.
const PATIENCE: Duration = Duration::from_secs(600);

/// A node to wait for.
#[derive(Debug)]
pub(super) struct NodeReady(RolloutTarget);

impl NodeReady {
    pub(super) fn from_host(host: &Host) -> Self {
        Self(RolloutTarget::node(host.name.to_string()))
    }
}

impl ClusterResource for NodeReady {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(observe(api, self.0.clone()))
    }

    fn act<'a>(&'a self, api: &'a Api, say: ProgressSink<'a>) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move { Ok(api.wait(&self.0, PATIENCE, |state| say(state.to_owned())).await?) })
    }

    fn only_waits(&self) -> bool {
        true
    }
}
