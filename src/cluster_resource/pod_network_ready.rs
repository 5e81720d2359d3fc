//! The pod network of a node: its `calico-node`, without which a node is `Ready` all the same.

use std::time::Duration;

use futures::future::BoxFuture;

use super::{ClusterResource, ClusterStepError, ProgressSink};
use crate::cluster_api::{Api, RolloutKind, RolloutTarget};
use crate::model::Host;
use crate::resource::{Change, Comparison};

/// Time for one pod: its images and its start.
const PATIENCE: Duration = Duration::from_secs(600);

/// The node whose pod network is waited for.
#[derive(Debug)]
pub(super) struct PodNetworkReady(String);

impl PodNetworkReady {
    pub(super) fn from_host(host: &Host) -> Self {
        Self(host.name.to_string())
    }
}

fn daemon() -> RolloutTarget {
    RolloutTarget::new(RolloutKind::DaemonSet, "kube-system", "calico-node")
}

impl ClusterResource for PodNetworkReady {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async move {
            Ok(match api.unready_on(&daemon(), &self.0).await? {
                None => Comparison::InSync,
                Some(state) => Comparison::Differs(Change::new(format!("{}: {state}", daemon()))),
            })
        })
    }

    fn act<'a>(&'a self, api: &'a Api, say: ProgressSink<'a>) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move {
            let daemon = daemon();
            let wait = api.wait_on(&daemon, &self.0, PATIENCE, |state| say(state.to_owned()));
            Ok(wait.await?)
        })
    }

    fn only_waits(&self) -> bool {
        true
    }
}
