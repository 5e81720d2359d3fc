//! A workload that must be ready.

use std::time::Duration;

use futures::future::BoxFuture;
use serde::Deserialize;

use super::{ClusterResource, ClusterStepError, ProgressSink};
use crate::cluster_api::{Api, RolloutKind, RolloutTarget};
use crate::resource::{Change, Comparison};

/// Images have to be pulled and probes to pass.
const PATIENCE: Duration = Duration::from_secs(600);

/// A workload to wait for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Rollout {
    kind: Workload,
    namespace: String,
    name: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum Workload {
    DaemonSet,
    Deployment,
    StatefulSet,
}

impl Rollout {
    fn target(&self) -> RolloutTarget {
        let kind = match self.kind {
            Workload::DaemonSet => RolloutKind::DaemonSet,
            Workload::Deployment => RolloutKind::Deployment,
            Workload::StatefulSet => RolloutKind::StatefulSet,
        };
        RolloutTarget::new(kind, &self.namespace, &self.name)
    }
}

impl ClusterResource for Rollout {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(observe(api, self.target()))
    }

    fn act<'a>(&'a self, api: &'a Api, say: ProgressSink<'a>) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move {
            Ok(api
                .wait(&self.target(), PATIENCE, |state| say(state.to_owned()))
                .await?)
        })
    }

    fn only_waits(&self) -> bool {
        true
    }
}

/// Whether the target is ready; if not, how far it is.
pub(super) async fn observe(api: &Api, target: RolloutTarget) -> Result<Comparison, ClusterStepError> {
    Ok(match api.unready(&target).await? {
        None => Comparison::InSync,
        Some(state) => Comparison::Differs(Change::new(format!("{target}: {state}"))),
    })
}
