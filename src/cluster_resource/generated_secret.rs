//! A Secret whose text is generated once and kept: nobody has to know it, and no run may change it.

use futures::future::BoxFuture;
use serde::Deserialize;

use super::{ClusterResource, ClusterStepError, ProgressSink};
use crate::cluster_api::{Api, ObjectId};
use crate::resource::{Change, Comparison};

/// What a playbook gives.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GeneratedSecret {
    namespace: String,
    name: String,
    /// Under which key the text stands.
    key: String,
}

impl GeneratedSecret {
    fn id(&self) -> ObjectId {
        ObjectId::new("v1", "Secret", Some(&self.namespace), &self.name)
    }
}

impl ClusterResource for GeneratedSecret {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async move {
            let id = self.id();
            let Some(live) = api.read(&id).await? else {
                return Ok(Comparison::Differs(Change::new(format!("generate {id}"))));
            };
            if live["data"][&self.key].is_string() {
                return Ok(Comparison::InSync);
            }
            // It may hold something that somebody needs.
            let help = "delete it, and a new one is generated; or put a text of your own under that key";
            Ok(Comparison::Refused(format!(
                "{id} has no key `{}`\n{help}",
                self.key
            )))
        })
    }

    fn act<'a>(
        &'a self,
        api: &'a Api,
        _say: ProgressSink<'a>,
    ) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move { Ok(api.make_up_secret(&self.id(), &self.key).await?) })
    }
}
