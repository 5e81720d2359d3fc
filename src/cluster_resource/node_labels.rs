//! Labels and taints of a node, as the inventory has them.

use futures::future::BoxFuture;

use super::{ClusterResource, ClusterStepError, ProgressSink};
use crate::cluster_api::{Api, NodeSettings, NodeTaint};
use crate::model::Host;
use crate::resource::Comparison;

/// What the inventory says about one node. Labels and taints of others stay.
#[derive(Debug)]
pub(super) struct NodeLabels(NodeSettings);

impl NodeLabels {
    pub(super) fn from_host(host: &Host) -> Self {
        let taint = |taint: &crate::model::Taint| NodeTaint {
            key: taint.key.clone(),
            value: taint.value.clone(),
            effect: taint.effect.clone(),
            added: None,
        };
        Self(NodeSettings {
            name: host.name.to_string(),
            labels: host.labels.clone(),
            taints: host.taints.iter().map(taint).collect(),
            control_plane_taint: host.roles.control_plane.then_some(!host.roles.worker),
        })
    }
}

impl ClusterResource for NodeLabels {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async move {
            let lines = api.compare_node(&self.0).await?;
            let summary = format!("label and taint node {}", self.0.name);
            Ok(Comparison::from_lines(summary, lines))
        })
    }

    fn act<'a>(
        &'a self,
        api: &'a Api,
        _say: ProgressSink<'a>,
    ) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move { Ok(api.apply_node(&self.0).await.map(drop)?) })
    }
}
