//! A node on which nothing new is scheduled while its kubelet is replaced, and the end of that.

use futures::future::BoxFuture;
use serde::Deserialize;

use super::{ClusterResource, ClusterStepError, ProgressSink};
use crate::cluster_api::{Api, Cordon as State, Cordoning};
use crate::resource::{Change, Comparison};

/// What a playbook gives.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cordon {
    /// The node.
    node: String,
    /// The version that its kubelet is about to get, such as `1.36.5`. A node that has it needs no cordon.
    kubelet: String,
}

impl Cordon {
    /// A cordon is there for what comes after it: where that is done, none is due. A host that is no node has nothing to cordon.
    fn compare(&self, node: Option<&Cordoning>) -> Comparison {
        match node {
            Some(node) if node.cordon == State::Absent && node.kubelet != self.kubelet => {
                let change = Change::new(format!("cordon node {}", self.node));
                let reason = format!("  kubelet {} becomes {}", node.kubelet, self.kubelet);
                Comparison::Differs(change.with_detail(vec![reason]))
            }
            _ => Comparison::InSync,
        }
    }
}

impl ClusterResource for Cordon {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async move { Ok(self.compare(api.cordoning(&self.node).await?.as_ref())) })
    }

    fn act<'a>(
        &'a self,
        api: &'a Api,
        _say: ProgressSink<'a>,
    ) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move { Ok(api.cordon(&self.node).await?) })
    }
}

/// What a playbook gives.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Uncordon {
    /// The node.
    node: String,
}

impl Uncordon {
    /// Only our own cordon is lifted, also one that a killed run has left.
    fn compare(&self, node: Option<&Cordoning>) -> Comparison {
        match node {
            Some(node) if node.cordon == State::Ours => {
                Comparison::Differs(Change::new(format!("uncordon node {}", self.node)))
            }
            _ => Comparison::InSync,
        }
    }
}

impl ClusterResource for Uncordon {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async move { Ok(self.compare(api.cordoning(&self.node).await?.as_ref())) })
    }

    fn act<'a>(
        &'a self,
        api: &'a Api,
        _say: ProgressSink<'a>,
    ) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move { Ok(api.uncordon(&self.node).await?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a cordon is due and whether one is to be lifted.
    fn due(node: Option<(State, &str)>) -> (bool, bool) {
        let node = node.map(|(cordon, kubelet)| Cordoning {
            cordon,
            kubelet: kubelet.to_owned(),
        });
        let name = || "w1".to_owned();
        let cordon = Cordon {
            node: name(),
            kubelet: "1.36.5".to_owned(),
        };
        let differs = |verdict| matches!(verdict, Comparison::Differs(_));
        let uncordon = Uncordon { node: name() };
        (
            differs(cordon.compare(node.as_ref())),
            differs(uncordon.compare(node.as_ref())),
        )
    }

    #[test]
    fn a_cordon_is_due_only_while_the_kubelet_is_another_and_ours_is_lifted() {
        assert_eq!(due(Some((State::Absent, "1.36.4"))), (true, false));
        assert_eq!(due(Some((State::Ours, "1.36.4"))), (false, true));
        // A killed run has left it: the kubelet has its version, and the cordon is still ours.
        assert_eq!(due(Some((State::Ours, "1.36.5"))), (false, true));
        assert_eq!(due(Some((State::Absent, "1.36.5"))), (false, false));
    }

    #[test]
    fn an_administrators_cordon_and_a_host_that_is_no_node_are_left_alone() {
        for kubelet in ["1.36.4", "1.36.5"] {
            assert_eq!(due(Some((State::Foreign, kubelet))), (false, false));
        }
        assert_eq!(due(None), (false, false));
    }
}
