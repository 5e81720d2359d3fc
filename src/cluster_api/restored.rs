//! The record of a restore, in the cluster that was restored.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::MANAGER;
use super::call::ApiCall;
use super::client::Api;
use super::error::ApiError;
use super::node::items;

/// The annotation that names the bundle, on kube-proxy's `DaemonSet` (all is done) and its pods (they were restarted).
const RESTORED: &str = "ci-bootstrap/restored";
const KUBE_PROXY: &str = "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy";

impl Api {
    /// Whether the cluster has come to itself after the restore of this bundle.
    pub async fn is_restored(&self, bundle: &str) -> Result<bool, ApiError> {
        let daemons = self.json(ApiCall::get(KUBE_PROXY)).await;
        let daemons = daemons.map_err(|e| e.during("read kube-proxy"))?;
        Ok(daemons["metadata"]["annotations"][RESTORED] == bundle)
    }

    /// When each node's kubelet was last heard of, by the node's name; as the cluster writes it, which is good for telling whether it
    /// has been heard of since.
    pub async fn heartbeats(&self) -> Result<BTreeMap<String, String>, ApiError> {
        let path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
        let list = self.json(ApiCall::get(path)).await;
        let list = list.map_err(|e| e.during("list the nodes' leases"))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(items(&list["items"])
            .map(|lease| {
                (
                    text(&lease["metadata"]["name"]),
                    text(&lease["spec"]["renewTime"]),
                )
            })
            .collect())
    }

    /// Restarts kube-proxy's pods, unless this restore did: they may know the API server's address of before.
    pub async fn restart_kube_proxy(&self, bundle: &str) -> Result<(), ApiError> {
        let template = json!({"metadata": {"annotations": {RESTORED: bundle}}});
        self.patch_kube_proxy(&json!({"spec": {"template": template}}))
            .await
    }

    /// Records that the cluster has come to itself.
    pub async fn record_restore(&self, bundle: &str) -> Result<(), ApiError> {
        self.patch_kube_proxy(&json!({"metadata": {"annotations": {RESTORED: bundle}}}))
            .await
    }

    async fn patch_kube_proxy(&self, body: &Value) -> Result<(), ApiError> {
        let path = format!("{KUBE_PROXY}?fieldManager={MANAGER}");
        let patched = self.text(ApiCall::merge(path, body)).await.map(drop);
        patched.map_err(|e| e.during("annotate kube-proxy"))
    }
}
