//! kube-proxy's settings, which the inventory may change after the cluster was initialized.

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::{ClusterResource, ClusterStepError, ProgressSink};
use crate::cluster_api::Api;
use crate::model::Cluster;
use crate::resource::{Change, Comparison};

/// The fields of `KubeProxyConfiguration` that the inventory decides.
#[derive(Debug)]
pub(super) struct KubeProxyResource(Value);

impl KubeProxyResource {
    pub(super) fn from_cluster(cluster: &Cluster) -> Self {
        let kube_proxy = &cluster.kube_proxy;
        Self(json!({"mode": kube_proxy.mode, "conntrack": kube_proxy.conntrack}))
    }
}

impl ClusterResource for KubeProxyResource {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async move {
            let found = api.compare_kube_proxy(&self.0).await?;
            if found.is_empty() {
                return Ok(Comparison::InSync);
            }
            let lines = found
                .iter()
                .flat_map(|text| text.lines())
                .map(str::to_owned)
                .collect();
            Ok(Comparison::Differs(
                Change::new("configure kube-proxy and restart its pods").with_detail(lines),
            ))
        })
    }

    fn act<'a>(
        &'a self,
        api: &'a Api,
        _say: ProgressSink<'a>,
    ) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move { Ok(api.apply_kube_proxy(&self.0).await.map(drop)?) })
    }
}
