//! Pods that belong to no workload, such as those in which builds run.

use jiff::Timestamp;

use super::explanation::Explanation;
use super::pod_causes::of_pod;
use super::related_objects::RelatedObjects;
use super::state::{RolloutKind, RolloutTarget};
use crate::cluster_api::call::ApiCall;
use crate::cluster_api::client::Api;
use crate::cluster_api::error::ApiError;
use crate::cluster_api::node::items;
use crate::cluster_api::object::Object;

impl Api {
    /// The pods of a namespace.
    pub async fn pods(&self, namespace: &str) -> Result<Vec<Object>, ApiError> {
        let list = self
            .json(ApiCall::get(format!("/api/v1/namespaces/{namespace}/pods")))
            .await?;
        Ok(items(&list["items"]).cloned().collect())
    }

    /// What keeps a pod from being ready, with the logs of its failing containers; no causes where nothing does.
    pub async fn explain_pod(&self, pod: &Object) -> Result<Explanation, ApiError> {
        let text = |value: &Object| value.as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (
            text(&pod["metadata"]["namespace"]),
            text(&pod["metadata"]["name"]),
        );
        let events = self
            .json(ApiCall::get(format!(
                "/api/v1/namespaces/{namespace}/events?limit=500"
            )))
            .await?;
        let related = RelatedObjects {
            target: RolloutTarget::new(RolloutKind::StatefulSet, &namespace, &name),
            live: None,
            pods: Vec::new(),
            nodes: Vec::new(),
            events: items(&events["items"]).cloned().collect(),
            now: Timestamp::now(),
        };
        let mut explanation = Explanation {
            target: format!("pod {namespace}/{name}"),
            state: text(&pod["status"]["phase"]),
            causes: of_pod(&related, pod),
        };
        self.add_logs(&mut explanation).await;
        Ok(explanation)
    }
}
