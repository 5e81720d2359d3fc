//! CoreDNS on more than one node. All its pods start on the first node that is ready, and nothing moves them when others join: while that
//! node reboots, no pod has names.

use std::time::Duration;

use futures::future::BoxFuture;

use super::{ClusterResource, ClusterStepError, ProgressSink};
use crate::cluster_api::{Api, Node, Object, ObjectId, RolloutKind, RolloutTarget};
use crate::model::Host;
use crate::resource::{Change, Comparison};

/// Time for new pods: their image is on the control planes only.
const PATIENCE: Duration = Duration::from_secs(300);
/// Time for a pod to go.
const GOING: Duration = Duration::from_secs(60);

/// That CoreDNS does not stay on one node when this one is there, too.
#[derive(Debug)]
pub(super) struct DnsSpread(String);

/// All pods of CoreDNS on one node.
#[derive(Debug, PartialEq, Eq)]
struct Crowd {
    node: String,
    /// One of the pods.
    pod: String,
    /// Other nodes that could run one, by name.
    others: Vec<String>,
}

impl DnsSpread {
    pub(super) fn from_host(host: &Host) -> Self {
        Self(host.name.to_string())
    }

    /// The crowd, where it is this node's turn to take a part of it: one node acts for all.
    async fn crowd(&self, api: &Api) -> Result<Option<Crowd>, ClusterStepError> {
        let pods = api.pods("kube-system").await?;
        let crowd = crowd(&pods, &api.nodes().await?);
        Ok(crowd.filter(|crowd| crowd.others.first() == Some(&self.0)))
    }
}

fn coredns() -> RolloutTarget {
    RolloutTarget::new(RolloutKind::Deployment, "kube-system", "coredns")
}

fn crowd(pods: &[Object], nodes: &[Node]) -> Option<Crowd> {
    let is_replica = |pod: &&Object| {
        pod["metadata"]["labels"]["k8s-app"] == "kube-dns" && pod["metadata"]["deletionTimestamp"].is_null()
    };
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let replicas: Vec<_> = pods.iter().filter(is_replica).collect();
    // Where a pod has no node yet, the scheduler is about to choose one.
    let on: Option<Vec<_>> = replicas
        .iter()
        .map(|pod| text(&pod["spec"]["nodeName"]))
        .collect();
    let on = on?;
    let node = on.first()?;
    if on.len() < 2 || on.iter().any(|other| other != node) {
        return None;
    }
    let others = nodes
        .iter()
        .filter(|other| other.name != *node && takes_coredns(other));
    let mut others: Vec<_> = others.map(|other| other.name.clone()).collect();
    others.sort();
    (!others.is_empty()).then_some(Crowd {
        node: node.clone(),
        pod: text(&replicas.first()?["metadata"]["name"])?,
        others,
    })
}

/// Whether a node is ready for pods that tolerate no taint but that of control planes.
fn takes_coredns(node: &Node) -> bool {
    let keeps_off = |taint: &crate::cluster_api::NodeTaint| {
        taint.effect != "PreferNoSchedule" && taint.key != "node-role.kubernetes.io/control-plane"
    };
    node.ready && node.schedulable && !node.taints.iter().any(keeps_off)
}

impl ClusterResource for DnsSpread {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async move {
            Ok(match self.crowd(api).await? {
                None => Comparison::InSync,
                Some(crowd) => Comparison::Differs(Change::new(format!(
                    "move CoreDNS: all its pods are on {}",
                    crowd.node
                ))),
            })
        })
    }

    fn act<'a>(&'a self, api: &'a Api, say: ProgressSink<'a>) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move {
            let Some(crowd) = self.crowd(api).await? else {
                return Ok(());
            };
            if crowd.others.len() > 1 {
                // New pods keep away from the old ones and from each other, so that the crowded node is left altogether.
                api.restart(&coredns()).await?;
            } else {
                let pod = ObjectId::new("v1", "Pod", Some("kube-system"), &crowd.pod);
                api.delete(&pod, GOING).await?;
            }
            Ok(api
                .wait(&coredns(), PATIENCE, |state| say(state.to_owned()))
                .await?)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, node: Option<&str>) -> Object {
        json!({"metadata": {"name": name, "labels": {"k8s-app": "kube-dns"}}, "spec": {"nodeName": node}})
    }

    fn node(name: &str, ready: &str, taint: Option<&str>) -> Node {
        let taints: Vec<_> = taint
            .iter()
            .map(|key| json!({"key": key, "effect": "NoSchedule"}))
            .collect();
        Node::from_node(&json!({"metadata": {"name": name}, "spec": {"taints": taints},
            "status": {"conditions": [{"type": "Ready", "status": ready}]}}))
    }

    #[test]
    fn pods_on_one_node_are_a_crowd_when_another_is_ready() {
        let control_plane = node("cp1", "True", Some("node-role.kubernetes.io/control-plane"));
        let nodes = [control_plane, node("w2", "True", None), node("w1", "True", None)];
        let pods = [
            pod("a", Some("cp1")),
            pod("b", Some("cp1")),
            json!({"metadata": {"name": "other"}}),
        ];
        let found = crowd(&pods, &nodes);
        assert_eq!(
            found.map(|crowd| crowd.others),
            Some(vec!["w1".to_owned(), "w2".to_owned()])
        );
        for (pods, nodes) in [
            (vec![pod("a", Some("cp1")), pod("b", Some("w1"))], nodes.to_vec()),
            (vec![pod("a", Some("cp1")), pod("b", None)], nodes.to_vec()),
            (vec![pod("a", Some("cp1"))], nodes.to_vec()),
            (pods.to_vec(), nodes[..1].to_vec()),
            (
                pods.to_vec(),
                vec![node("w1", "Unknown", None), node("w2", "True", Some("gpu"))],
            ),
        ] {
            assert_eq!(crowd(&pods, &nodes), None, "{pods:?}");
        }
    }
}
