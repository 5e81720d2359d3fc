//! What is said of a host that can't be reached when its cluster can't reach it either.

use crate::event::Event;
use crate::plan::Fact;

use super::Run;

/// Taint by which a person tells the cluster that a machine is off. Whoever sets it has looked.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

impl Run {
    /// Tells how the pods of a lost node get to run elsewhere. Nothing is said while the cluster still hears of the node, or
    /// can't be asked: then the failure of the host has to do.
    pub(super) async fn tell_of_lost_node(&self, host: &str) {
        if self.board.wait(&[Fact::ApiServer]).await.is_err() {
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
}
