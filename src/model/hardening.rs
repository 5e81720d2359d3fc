//! What `cluster.hardening: cis` puts into kubeadm's and kubelet's configuration.

use serde::Serialize;
use serde_json::{Value, json};

/// The fields that hardening owns, in the words of kubeadm's and kubelet's configuration. Serializes for templates and playbooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HardeningFields {
    /// `extraArgs` and `extraVolumes` by component (`apiServer`, `controllerManager`, `scheduler`), as in kubeadm's `ClusterConfiguration`
    /// of v1beta4.
    pub components: Value,
    /// Fields of `KubeletConfiguration`, without those that the inventory's `kubelet.extraConfig` sets itself.
    pub kubelet: Value,
}

impl HardeningFields {
    /// The fields for a cluster whose inventory sets `own` fields of kubelet's configuration.
    pub(super) fn beside(own: &serde_json::Map<String, Value>) -> Self {
        // A build of many threads stays below the limit, and a fork bomb takes only its own pod's part of a node's 32768 processes.
        let mut kubelet = json!({"seccompDefault": true, "podPidsLimit": 4096});
        if let Some(fields) = kubelet.as_object_mut() {
            fields.retain(|name, _| !own.contains_key(name));
        }
        let without_profiling = json!({"extraArgs": [{"name": "profiling", "value": "false"}]});
        Self {
            components: json!({
                "apiServer": api_server(),
                "controllerManager": without_profiling,
                "scheduler": without_profiling,
            }),
            kubelet,
        }
    }
}

/// The API server's fields: CIS 1.2.15 to 1.2.19.
fn api_server() -> Value {
    let policy = "/etc/kubernetes/audit-policy.yaml";
    let log = "/var/log/kubernetes/audit";
    json!({
        "extraArgs": [
            {"name": "profiling", "value": "false"},
            {"name": "audit-policy-file", "value": policy},
            {"name": "audit-log-path", "value": format!("{log}/audit.log")},
            {"name": "audit-log-maxsize", "value": "100"},
            {"name": "audit-log-maxbackup", "value": "10"},
            {"name": "audit-log-maxage", "value": "30"},
        ],
        "extraVolumes": [
            {"name": "audit-policy", "hostPath": policy, "mountPath": policy, "readOnly": true, "pathType": "File"},
            {"name": "audit-log", "hostPath": log, "mountPath": log, "pathType": "DirectoryOrCreate"},
        ],
    })
}
