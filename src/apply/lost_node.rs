//! What is said of a machine that the cluster has not heard of: a host of the inventory, or one that is no longer in it.

use crate::cluster_api::Node;
use crate::event::Event;
use crate::plan::Milestone;

use super::Run;

/// Taint by which a person tells the cluster that a machine is off. Whoever sets it has looked.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

impl Run {
    /// Tells how the pods of a lost node get to run elsewhere. Nothing is said while the cluster still hears of the node, or
    /// can't be asked: then the failure of the host has to do.
    pub(super) async fn tell_of_lost_node(&self, host: &str) {
        if !self.is_owed(&Milestone::ApiServer)
            || self.milestones.wait(&[Milestone::ApiServer]).await.is_err()
        {
            return;
        }
        let Ok(api) = self.api().await else { return };
        let Ok(Some(node)) = api.node(host).await else {
            return;
        };
        if !node.is_silent() || node.taints.iter().any(|taint| taint.key == OUT_OF_SERVICE) {
            return;
        }
        let text = format!(
            "the cluster has not heard of {host} either, and does not start its pods with volumes elsewhere while they may still run there; \
             when the machine is off for certain, `kubectl taint node {host} {OUT_OF_SERVICE}=nodeshutdown:NoExecute` lets them go at once \
             (the same with `-` at its end takes that back when the machine is on again)"
        );
        self.events.send(Event::Note {
            place: host.to_owned(),
            text,
        });
    }

    /// Tells of nodes that a machine left behind whose name is not in the inventory any more. Whether it may come back only a person
    /// can know. The cluster is not asked for this alone.
    pub(super) async fn tell_of_left_nodes(&self) {
        let Some(Ok(access)) = self.access.get() else {
            return;
        };
        let nodes = access.api.nodes().await.unwrap_or_default();
        let left = |node: &&Node| node.is_silent() && !self.options.addresses.contains_key(&node.name);
        for Node { name, .. } in nodes.iter().filter(left) {
            let text = format!(
                "the cluster still has the node {name}, which is not in the inventory, and has not heard of it; when the machine is gone \
                 for good, `kubectl delete node {name}` takes it out"
            );
            self.events.send(Event::Note {
                place: "cluster".to_owned(),
                text,
            });
        }
    }
}
