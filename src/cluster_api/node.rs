//! Nodes as the API server knows them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::MANAGER;
use super::call::ApiCall;
use super::client::Api;
use super::error::ApiError;

/// One node, as far as this program cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Whether its condition `Ready` is `True`.
    pub ready: bool,
    /// Whether pods may be scheduled on it (not cordoned).
    pub schedulable: bool,
    /// Version of its kubelet, such as `v1.36.4`.
    pub version: String,
    /// First address of type `InternalIP`.
    pub internal_ip: Option<String>,
    /// All addresses as (type, address).
    pub addresses: Vec<(String, String)>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its taints.
    pub taints: Vec<NodeTaint>,
    /// Its conditions.
    pub conditions: Vec<Condition>,
    /// Name of the operating system, such as `Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// Container runtime with version, such as `containerd://2.3.7`.
    pub runtime: String,
    /// When it joined, RFC 3339.
    pub created: String,
    /// Labels that an apply of ours set.
    pub(super) our_labels: Vec<String>,
    /// Taints that we recorded as ours, as `key:effect`.
    pub(super) our_taints: Vec<String>,
    pub(super) resource_version: String,
}

/// A taint of a node.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NodeTaint {
    /// Its key, such as `node-role.kubernetes.io/control-plane`.
    pub key: String,
    /// Its value; empty for none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
    /// When it was added, for taints that the cluster sets.
    #[serde(rename = "timeAdded", skip_serializing_if = "Option::is_none")]
    pub added: Option<String>,
}

impl From<&crate::model::Taint> for NodeTaint {
    fn from(taint: &crate::model::Taint) -> Self {
        Self {
            key: taint.key.clone(),
            value: taint.value.clone(),
            effect: taint.effect.clone(),
            added: None,
        }
    }
}

impl NodeTaint {
    /// What makes two taints the same one: `key:effect`.
    pub fn id(&self) -> String {
        format!("{}:{}", self.key, self.effect)
    }
}

/// A condition of a node, pod or workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// `Ready`, `DiskPressure` …
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word of the reason.
    pub reason: String,
    /// A sentence about it.
    pub message: String,
}

impl Condition {
    /// The conditions in an object's status.
    pub(super) fn all(object: &Value) -> Vec<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        items(&object["status"]["conditions"])
            .map(|c| Self {
                kind: text(&c["type"]),
                status: text(&c["status"]),
                reason: text(&c["reason"]),
                message: text(&c["message"]),
            })
            .collect()
    }
}

/// Where the taints that we set are recorded: the API server keeps no owner per taint.
pub(super) const TAINTS_RECORD: &str = "ci-bootstrap/taints";

impl Node {
    /// Whether the cluster has not heard of it for some time: it may be off, or only out of reach.
    pub fn is_silent(&self) -> bool {
        let mut conditions = self.conditions.iter();
        conditions.any(|condition| condition.kind == "Ready" && condition.status == "Unknown")
    }

    /// Reads a live node.
    pub(crate) fn from_node(node: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (metadata, status) = (&node["metadata"], &node["status"]);
        let conditions = Condition::all(node);
        let addresses: Vec<_> = items(&status["addresses"])
            .map(|a| (text(&a["type"]), text(&a["address"])))
            .collect();
        let internal = addresses.iter().find(|(kind, _)| kind == "InternalIP");
        let record = text(&metadata["annotations"][TAINTS_RECORD]);
        Self {
            name: text(&metadata["name"]),
            ready: conditions.iter().any(|c| c.kind == "Ready" && c.status == "True"),
            schedulable: node["spec"]["unschedulable"] != true,
            version: text(&status["nodeInfo"]["kubeletVersion"]),
            internal_ip: internal.map(|(_, address)| address.clone()),
            addresses,
            labels: entries(&metadata["labels"])
                .map(|(k, v)| (k.clone(), text(v)))
                .collect(),
            taints: items(&node["spec"]["taints"]).map(taint).collect(),
            conditions,
            os: text(&status["nodeInfo"]["osImage"]),
            kernel: text(&status["nodeInfo"]["kernelVersion"]),
            runtime: text(&status["nodeInfo"]["containerRuntimeVersion"]),
            created: text(&metadata["creationTimestamp"]),
            our_labels: our_labels(metadata),
            our_taints: record
                .split(',')
                .filter(|s| !s.is_empty())
                .map(str::to_owned)
                .collect(),
            resource_version: text(&metadata["resourceVersion"]),
        }
    }
}

impl Api {
    /// All nodes, by name.
    pub async fn nodes(&self) -> Result<Vec<Node>, ApiError> {
        let list = self
            .json(ApiCall::get("/api/v1/nodes"))
            .await
            .map_err(|e| e.during("list nodes"))?;
        Ok(items(&list["items"]).map(Node::from_node).collect())
    }

    /// One node, `None` if it has not joined.
    pub async fn node(&self, name: &str) -> Result<Option<Node>, ApiError> {
        let node = self.json_opt(ApiCall::get(format!("/api/v1/nodes/{name}"))).await;
        let node = node.map_err(|e| e.during(format_args!("read node {name}")))?;
        Ok(node.as_ref().map(Node::from_node))
    }
}

/// The items of a list, none if it is absent.
pub(super) fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The entries of a mapping, none if it is absent.
pub(super) fn entries(map: &Value) -> impl Iterator<Item = (&String, &Value)> {
    map.as_object().into_iter().flatten()
}

fn taint(taint: &Value) -> NodeTaint {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    NodeTaint {
        key: text(&taint["key"]),
        value: text(&taint["value"]),
        effect: text(&taint["effect"]),
        added: taint["timeAdded"].as_str().map(str::to_owned),
    }
}

fn our_labels(metadata: &Value) -> Vec<String> {
    items(&metadata["managedFields"])
        .filter(|entry| entry["manager"] == MANAGER && entry["operation"] == "Apply")
        .flat_map(|entry| entries(&entry["fieldsV1"]["f:metadata"]["f:labels"]))
        .filter_map(|(key, _)| key.strip_prefix("f:"))
        .map(str::to_owned)
        .collect()
}
