//! csi-driver-nfs from its vendor's release manifests, unchanged.

use futures::future::BoxFuture;
use tokio::sync::OnceCell;

use super::manifest::shown;
use super::{ClusterResource, ClusterStepError, ProgressSink};
use crate::cluster_api::{Api, Object, Releases};
use crate::model::{Cluster, Manifest};
use crate::resource::{Change, Comparison};

/// The objects of all manifests that the inventory lists.
#[derive(Debug)]
pub(super) struct CsiDriver {
    manifests: Vec<Manifest>,
    /// Read once in a run.
    objects: OnceCell<Vec<Object>>,
}

impl CsiDriver {
    pub(super) fn from_cluster(cluster: &Cluster) -> Self {
        let storage = cluster.storage.iter();
        Self {
            manifests: storage
                .flat_map(|storage| storage.class.manifests.clone())
                .collect(),
            objects: OnceCell::new(),
        }
    }

    async fn objects(&self) -> Result<&Vec<Object>, ClusterStepError> {
        let load = || async {
            let releases = Releases::with_user_cache();
            let mut objects = Vec::new();
            for manifest in &self.manifests {
                objects.extend(releases.load(manifest).await?);
            }
            Ok::<_, ClusterStepError>(objects)
        };
        self.objects.get_or_try_init(load).await
    }
}

impl ClusterResource for CsiDriver {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async move {
            let differences = api.compare(self.objects().await?).await?;
            let detail = differences.iter().flat_map(shown).collect::<Vec<_>>();
            if detail.is_empty() {
                return Ok(Comparison::InSync);
            }
            Ok(Comparison::Differs(
                Change::new("apply csi-driver-nfs").with_detail(detail),
            ))
        })
    }

    fn act<'a>(&'a self, api: &'a Api, say: ProgressSink<'a>) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move {
            for difference in api.apply(self.objects().await?).await? {
                say(difference.id.to_string());
            }
            Ok(())
        })
    }
}
