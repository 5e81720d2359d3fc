//! Settings that a cluster is founded with and keeps: an inventory that says otherwise is refused, not obeyed in part.

use futures::future::BoxFuture;
use serde_json::Value;

use super::{ClusterResource, Error, Say};
use crate::cluster_api::{Api, Configuration};
use crate::model::Cluster;
use crate::resource::Verdict;

/// What kubeadm wrote down when it founded the cluster, against the inventory.
#[derive(Debug)]
pub(super) struct Settings {
    /// The inventory's name for it, its path in kubeadm's configuration, the wanted value.
    wanted: Vec<(&'static str, &'static str, String)>,
}

impl Settings {
    pub(super) fn of(cluster: &Cluster) -> Self {
        let networks = &cluster.networks;
        Self {
            wanted: vec![
                ("cluster.name", "/clusterName", cluster.name.clone()),
                (
                    "cluster.endpoint",
                    "/controlPlaneEndpoint",
                    cluster.endpoint.to_string(),
                ),
                (
                    "cluster.networks.pods",
                    "/networking/podSubnet",
                    networks.pods.to_string(),
                ),
                (
                    "cluster.networks.services",
                    "/networking/serviceSubnet",
                    networks.services.to_string(),
                ),
                (
                    "cluster.networks.domain",
                    "/networking/dnsDomain",
                    networks.domain.clone(),
                ),
                (
                    "cluster.kubernetes",
                    "/kubernetesVersion",
                    format!("v{}", cluster.kubernetes),
                ),
            ],
        }
    }

    fn conflicts(&self, live: &Value) -> Vec<String> {
        let differing = self.wanted.iter().filter_map(|(name, path, wanted)| {
            let live = live.pointer(path).and_then(Value::as_str)?;
            (live != wanted).then(|| format!("{name} is {wanted} in the inventory and {live} in the cluster"))
        });
        differing.collect()
    }
}

impl ClusterResource for Settings {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Verdict, Error>> {
        Box::pin(async move {
            let live = api
                .configuration(Configuration::Cluster)
                .await?
                .unwrap_or_default();
            let conflicts = self.conflicts(&live);
            if conflicts.is_empty() {
                return Ok(Verdict::InSync);
            }
            let help = "these are settled when a cluster is founded: put the cluster's values back into the inventory, or found another cluster";
            Ok(Verdict::Refused(format!("{}\n{help}", conflicts.join("\n"))))
        })
    }

    fn act<'a>(&'a self, _api: &'a Api, _say: Say<'a>) -> BoxFuture<'a, Result<(), Error>> {
        // Never asked for: it is in sync or refuses.
        Box::pin(async { Ok(()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tells_every_setting_that_can_not_be_changed() {
        let settings = Settings {
            wanted: vec![
                ("cluster.name", "/clusterName", "ci".into()),
                (
                    "cluster.networks.pods",
                    "/networking/podSubnet",
                    "10.1.0.0/16".into(),
                ),
            ],
        };
        assert!(
            settings
                .conflicts(&json!({"clusterName": "ci", "networking": {"podSubnet": "10.1.0.0/16"}}))
                .is_empty()
        );
        let conflicts =
            settings.conflicts(&json!({"clusterName": "ci", "networking": {"podSubnet": "10.2.0.0/16"}}));
        assert_eq!(
            conflicts,
            ["cluster.networks.pods is 10.1.0.0/16 in the inventory and 10.2.0.0/16 in the cluster"]
        );
    }
}
