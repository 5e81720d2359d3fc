//! How much room there is on nodes and on the volumes of their pods, as each kubelet tells it.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::call::ApiCall;
use super::client::Api;
use super::error::ApiError;
use super::node::items;

/// A kubelet that takes longer is not waited for.
const LIMIT: Duration = Duration::from_secs(10);

/// The room of one file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FreeSpace {
    /// Bytes that are free for everybody.
    pub available_bytes: u64,
    /// Bytes in all; never zero.
    pub capacity_bytes: u64,
}

impl FreeSpace {
    /// What is free, in whole percent.
    pub fn percent(self) -> u64 {
        u64::try_from(u128::from(self.available_bytes) * 100 / u128::from(self.capacity_bytes))
            .unwrap_or(u64::MAX)
    }

    /// Nothing where the kubelet could not measure it.
    fn from_statistics(statistics: &Value) -> Option<Self> {
        let capacity_bytes = statistics["capacityBytes"].as_u64().filter(|bytes| *bytes > 0)?;
        Some(Self {
            available_bytes: statistics["availableBytes"].as_u64()?,
            capacity_bytes,
        })
    }
}

/// The room on one node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeSpace {
    /// Where kubelet keeps logs and the volumes of pods that live as long as these.
    pub disk: Option<FreeSpace>,
    /// Where images and the containers' own files lie.
    pub images: Option<FreeSpace>,
    /// Volumes of its pods.
    pub volumes: Vec<VolumeSpace>,
}

/// The room on a volume of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeSpace {
    /// Namespace of the pod.
    pub namespace: String,
    /// The volume's name in the pod.
    pub name: String,
    /// Name of the claim that it comes by, if any.
    pub claim: Option<String>,
    /// Its file system; on NFS that of the whole share.
    pub space: FreeSpace,
}

impl NodeSpace {
    /// Reads the answer of kubelet's endpoint `/stats/summary`.
    fn from_summary(summary: &Value) -> Self {
        Self {
            disk: FreeSpace::from_statistics(&summary["node"]["fs"]),
            images: FreeSpace::from_statistics(&summary["node"]["runtime"]["imageFs"]),
            volumes: items(&summary["pods"]).flat_map(volumes).collect(),
        }
    }
}

fn volumes(pod: &Value) -> impl Iterator<Item = VolumeSpace> {
    let namespace = pod["podRef"]["namespace"].as_str().unwrap_or_default();
    items(&pod["volume"]).filter_map(move |volume| {
        Some(VolumeSpace {
            namespace: namespace.to_owned(),
            name: volume["name"].as_str()?.to_owned(),
            claim: volume["pvcRef"]["name"].as_str().map(str::to_owned),
            space: FreeSpace::from_statistics(volume)?,
        })
    })
}

impl Api {
    /// Asks the kubelet of a node, through the API server.
    pub async fn node_space(&self, node: &str) -> Result<NodeSpace, ApiError> {
        let mut call = ApiCall::get(format!("/api/v1/nodes/{node}/proxy/stats/summary"));
        call.limit = LIMIT;
        Ok(NodeSpace::from_summary(&self.json(call).await?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_kubelets_summary_is_read() {
        let summary = json!({
            "node": {"fs": {"availableBytes": 30, "capacityBytes": 200},
                "runtime": {"imageFs": {"availableBytes": 1, "capacityBytes": 0}}},
            "pods": [{"podRef": {"name": "jenkins-0", "namespace": "kube-ops"}, "volume": [
                {"name": "home", "pvcRef": {"name": "jenkins-home", "namespace": "kube-ops"}, "availableBytes": 5, "capacityBytes": 10},
                {"name": "configuration", "usedBytes": 4}]}]});
        let space = NodeSpace::from_summary(&summary);
        assert_eq!(space.disk.map(FreeSpace::percent), Some(15));
        assert_eq!(space.images, None, "a capacity of nothing was not measured");
        let volume = VolumeSpace {
            namespace: "kube-ops".to_owned(),
            name: "home".to_owned(),
            claim: Some("jenkins-home".to_owned()),
            space: FreeSpace {
                available_bytes: 5,
                capacity_bytes: 10,
            },
        };
        assert_eq!(space.volumes, [volume]);
    }

    #[test]
    fn whatever_a_kubelet_says_is_read_or_left_out() {
        for odd in [
            json!(null),
            json!([]),
            json!({"node": 1, "pods": {"a": [1]}}),
            json!({"pods": [1, {"volume": [1]}]}),
        ] {
            assert_eq!(NodeSpace::from_summary(&odd), NodeSpace::default(), "{odd}");
        }
        let most = json!({"availableBytes": u64::MAX, "capacityBytes": 1});
        assert_eq!(
            FreeSpace::from_statistics(&most).map(FreeSpace::percent),
            Some(u64::MAX)
        );
    }
}
