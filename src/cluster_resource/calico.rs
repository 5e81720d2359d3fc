//! Calico: upstream's release manifest with the inventory's settings, and the pool of addresses that grew from it.

use futures::future::BoxFuture;
use tokio::sync::OnceCell;

use super::manifest;
use super::{ClusterResource, ClusterStepError, ProgressSink};
use crate::cluster_api::{Api, Object, Releases, customise};
use crate::model::{self, Cluster};
use crate::resource::{Change, Comparison};

/// The pod network as the inventory has it.
#[derive(Debug)]
pub(super) struct CalicoResource {
    settings: model::Calico,
    pods: ipnet::IpNet,
    /// The customised objects, read once in a run.
    objects: OnceCell<Vec<Object>>,
}

impl CalicoResource {
    pub(super) fn from_cluster(cluster: &Cluster) -> Self {
        Self {
            settings: cluster.calico.clone(),
            pods: cluster.networks.pods,
            objects: OnceCell::new(),
        }
    }

    async fn objects(&self) -> Result<&Vec<Object>, ClusterStepError> {
        let load = || async {
            let manifest = Releases::with_user_cache().load(&self.settings.manifest).await?;
            Ok::<_, ClusterStepError>(customise(manifest, &self.settings, self.pods)?)
        };
        self.objects.get_or_try_init(load).await
    }

    async fn differences(&self, api: &Api) -> Result<Vec<String>, ClusterStepError> {
        let mut lines = Vec::new();
        for difference in api.compare(self.objects().await?).await? {
            lines.extend(manifest::shown(&difference));
        }
        lines.extend(api.compare_pool(&self.settings, self.pods).await?);
        Ok(lines)
    }
}

impl ClusterResource for CalicoResource {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async move {
            let lines = self.differences(api).await?;
            if lines.is_empty() {
                return Ok(Comparison::InSync);
            }
            let summary = format!("apply Calico {}", self.settings.version);
            Ok(Comparison::Differs(Change::new(summary).with_detail(lines)))
        })
    }

    fn act<'a>(&'a self, api: &'a Api, say: ProgressSink<'a>) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move {
            for difference in api.apply(self.objects().await?).await? {
                say(difference.id.to_string());
            }
            api.apply_pool(&self.settings, self.pods).await?;
            Ok(())
        })
    }
}
