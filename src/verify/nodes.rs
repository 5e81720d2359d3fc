//! Nodes: every host that should be one is, and is ready.

use std::time::Duration;

use futures::future::BoxFuture;

use super::check::{Check, CheckProblem};
use super::{CLUSTER, VerifiedCluster};
use crate::cluster_api::{Api, Node, ObjectId, RolloutKind, RolloutTarget};
use crate::model::Cluster;

/// The check's name, for those that need ready nodes.
pub(super) const NAME: &str = "nodes ready";

const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn checks(cluster: &Cluster) -> Vec<Box<dyn Check>> {
    if cluster.first_control_plane().is_none() {
        return Vec::new();
    }
    vec![Box::new(Nodes)]
}

struct Nodes;

impl Check for Nodes {
    fn name(&self) -> String {
        NAME.to_owned()
    }

    fn place(&self) -> &str {
        CLUSTER
    }

    fn limit(&self) -> Duration {
        LIMIT
    }

    fn run<'a>(&'a self, site: &'a VerifiedCluster) -> BoxFuture<'a, Result<String, CheckProblem>> {
        Box::pin(async move {
            let api = site.api().await?;
            let nodes = api.nodes().await?;
            let wanted: Vec<_> = site.cluster.nodes().map(|host| host.name.as_str()).collect();
            let unwell: Vec<_> = wanted
                .iter()
                .filter_map(|name| Some((*name, unwell(name, &nodes)?)))
                .collect();
            let Some((first, reason)) = unwell.first() else {
                return with_network(api, &wanted).await;
            };
            let names: Vec<_> = unwell.iter().map(|(name, _)| *name).collect();
            let problem =
                CheckProblem::failed(format!("not ready: {} ({first}: {reason})", names.join(", ")));
            // What keeps the first is most often what keeps the others.
            let Ok(explanation) = api.explain(&RolloutTarget::node(*first)).await else {
                return Err(problem);
            };
            Err(problem
                .with_output(&explanation.to_string())
                .with_help(format_args!("`journalctl -u kubelet` on {first} tells more; `apply` repairs what differs from the plan")))
        })
    }
}

/// A node is ready by its CNI configuration alone: whether its pods have a network, its calico-node knows, where Calico is what makes it.
async fn with_network(api: &Api, wanted: &[&str]) -> Result<String, CheckProblem> {
    let (namespace, name) = ("kube-system", "calico-node");
    let all = format!("{} of {}", wanted.len(), wanted.len());
    let id = ObjectId::new("apps/v1", "DaemonSet", Some(namespace), name);
    if api.read(&id).await?.is_none() {
        return Ok(all);
    }
    let daemon = RolloutTarget::new(RolloutKind::DaemonSet, namespace, name);
    for node in wanted {
        let Some(state) = api.unready_on(&daemon, node).await? else {
            continue;
        };
        let problem = CheckProblem::failed(format!("no pod network on {node}: {daemon}: {state}"));
        let Ok(explanation) = api.explain(&daemon).await else {
            return Err(problem);
        };
        return Err(problem.with_output(&explanation.to_string()).with_help(
            "`kubectl -n kube-system get pods -l k8s-app=calico-node -o wide`, and the log of the pod on that node",
        ));
    }
    Ok(all)
}

/// What is wrong with the node of this name, if anything is.
fn unwell(name: &str, nodes: &[Node]) -> Option<String> {
    let Some(node) = nodes.iter().find(|node| node.name == name) else {
        return Some("the cluster has no such node".to_owned());
    };
    if node.ready {
        return None;
    }
    let condition = node.conditions.iter().find(|condition| condition.kind == "Ready");
    Some(condition.map_or_else(
        || "its kubelet has not reported yet".to_owned(),
        |condition| format!("{}: {}", condition.reason, condition.message),
    ))
}
