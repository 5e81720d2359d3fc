//! What a restored cluster still has of the machines that are lost.

use std::time::Duration;

use futures::future::BoxFuture;
use serde::Deserialize;

use super::{ClusterResource, ClusterStepError, ProgressSink};
use crate::cluster_api::{Api, Node, ObjectId, RolloutKind, RolloutTarget};
use crate::model::Cluster;
use crate::resource::{Change, Comparison};

/// The cluster calls a node that fell silent not ready after 40 seconds; until then the lost ones seem alive.
const SILENCE: Duration = Duration::from_secs(75);
const LIMIT: Duration = Duration::from_secs(60);
/// For kube-proxy on all nodes, one after the other.
const PROXIES: Duration = Duration::from_secs(120);

/// What a playbook gives.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RestoredFields {
    /// The bundle's identity.
    bundle: String,
}

/// A cluster that has come to itself after a restore: kube-proxy knows where the API server is now, and nodes that are neither
/// in the inventory nor alive are gone. It is done once for each restore.
#[derive(Debug)]
pub(super) struct Restored {
    bundle: String,
    hosts: Vec<String>,
}

impl Restored {
    pub(super) fn from_fields(fields: RestoredFields, cluster: &Cluster) -> Self {
        Self {
            bundle: fields.bundle,
            hosts: cluster.hosts.iter().map(|host| host.name.to_string()).collect(),
        }
    }

    /// Waits until every node has been heard of since, or the cluster calls it not ready: until then it has the state of the
    /// snapshot, in which all may be well that is lost.
    async fn settle(&self, api: &Api) -> Result<(), ClusterStepError> {
        let began = tokio::time::Instant::now();
        let before = api.heartbeats().await?;
        while began.elapsed() < SILENCE {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let now = api.heartbeats().await?;
            let stale = |node: &Node| node.ready && before.get(&node.name) == now.get(&node.name);
            if !api.nodes().await?.iter().any(stale) {
                break;
            }
        }
        Ok(())
    }

    /// Removes nodes that the inventory does not name, unless they are alive: they may have joined by other means.
    async fn forget(&self, api: &Api, say: ProgressSink<'_>) -> Result<(), ClusterStepError> {
        let nodes = api.nodes().await?;
        for node in nodes.iter().filter(|node| !self.hosts.contains(&node.name)) {
            if node.ready {
                say(format!(
                    "node {} is not in the inventory and alive: it stays",
                    node.name
                ));
            } else {
                api.delete(&ObjectId::new("v1", "Node", None, &node.name), LIMIT)
                    .await?;
                say(format!("node {} is gone", node.name));
            }
        }
        Ok(())
    }
}

/// Waits until kube-proxy has come back on one node after the other: only then are Services reached from all of them. A node that is
/// lost, too, must not keep the others from their end, and says so by itself.
async fn proxies_restarted(api: &Api, say: ProgressSink<'_>) {
    let proxies = RolloutTarget::new(RolloutKind::DaemonSet, "kube-system", "kube-proxy");
    let waited = api
        .wait(&proxies, PROXIES, |state| say(format!("{proxies}: {state}")))
        .await;
    if let Err(error) = waited {
        say(error.to_string());
    }
}

impl ClusterResource for Restored {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async move {
            if api.is_restored(&self.bundle).await? {
                return Ok(Comparison::InSync);
            }
            Ok(Comparison::Differs(Change::new(
                "restart kube-proxy, and forget nodes that are lost",
            )))
        })
    }

    fn act<'a>(&'a self, api: &'a Api, say: ProgressSink<'a>) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move {
            api.restart_kube_proxy(&self.bundle).await?;
            self.settle(api).await?;
            self.forget(api, say).await?;
            proxies_restarted(api, say).await;
            Ok(api.record_restore(&self.bundle).await?)
        })
    }
}
