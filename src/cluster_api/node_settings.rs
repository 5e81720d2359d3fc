//! Labels and taints that the inventory gives a node: only what it names is touched.

use std::collections::BTreeMap;

use serde_json::json;

use super::MANAGER;
use super::call::ApiCall;
use super::client::Api;
use super::error::ApiError;
use super::node::{Node, NodeTaint, TAINTS_RECORD};

const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";
/// How often a change of taints is tried when somebody else changes the node meanwhile (kubelet does, often).
const ATTEMPTS: usize = 5;

/// What the inventory says about one node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeSettings {
    /// Name of the node.
    pub name: String,
    /// Labels it must have. One that we set earlier and that is no longer here is removed.
    pub labels: BTreeMap<String, String>,
    /// Taints it must have; with the same rule.
    pub taints: Vec<NodeTaint>,
    /// Whether the control plane's own `NoSchedule` taint must be there; `None` leaves it as it is.
    pub control_plane_taint: Option<bool>,
}

impl Api {
    /// What [`Api::apply_node`] would change, a line each. Changes nothing.
    pub async fn compare_node(&self, wanted: &NodeSettings) -> Result<Vec<String>, ApiError> {
        Ok(differences(&self.joined_node(&wanted.name).await?, wanted))
    }

    /// Gives a node its labels and taints; returns what was different.
    pub async fn apply_node(&self, wanted: &NodeSettings) -> Result<Vec<String>, ApiError> {
        let node = self.joined_node(&wanted.name).await?;
        let found = differences(&node, wanted);
        let applied = async {
            if !label_differences(&node, wanted).is_empty() {
                self.apply_labels(wanted).await?;
            }
            self.apply_taints(wanted).await
        };
        applied
            .await
            .map_err(|e| e.during(format_args!("set labels and taints of node {}", wanted.name)))?;
        Ok(found)
    }

    async fn joined_node(&self, name: &str) -> Result<Node, ApiError> {
        let node = self.json(ApiCall::get(path(name))).await;
        let node = node.map_err(|e| e.during(format_args!("read node {name}")))?;
        Ok(Node::from_node(&node))
    }

    async fn apply_labels(&self, wanted: &NodeSettings) -> Result<(), ApiError> {
        let body = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": wanted.name, "labels": wanted.labels},
        });
        let path = format!("{}?fieldManager={MANAGER}&force=true", path(&wanted.name));
        self.text(ApiCall::apply(path, &body)).await.map(drop)
    }

    /// The list of taints has one owner as a whole, so it is read, changed and written if nobody else wrote meanwhile.
    async fn apply_taints(&self, wanted: &NodeSettings) -> Result<(), ApiError> {
        for attempt in 1.. {
            let node = self.joined_node(&wanted.name).await?;
            let (taints, record) = (merged_taints(&node, wanted), record(wanted));
            if taints == node.taints && record == node.our_taints {
                break;
            }
            let body = json!({
                "metadata": {
                    "resourceVersion": node.resource_version,
                    "annotations": {TAINTS_RECORD: (!record.is_empty()).then(|| record.join(","))},
                },
                "spec": {"taints": taints},
            });
            let path = format!("{}?fieldManager={MANAGER}", path(&wanted.name));
            match self.text(ApiCall::merge(path, &body)).await {
                Err(e) if e.is_conflict() && attempt < ATTEMPTS => {}
                answer => return answer.map(drop),
            }
        }
        Ok(())
    }
}

fn path(name: &str) -> String {
    format!("/api/v1/nodes/{name}")
}

fn differences(node: &Node, wanted: &NodeSettings) -> Vec<String> {
    let mut found = label_differences(node, wanted);
    found.extend(taint_differences(node, wanted));
    found
}

fn label_differences(node: &Node, wanted: &NodeSettings) -> Vec<String> {
    let set = wanted
        .labels
        .iter()
        .filter_map(|(key, value)| match node.labels.get(key) {
            None => Some(format!("label {key}: add {value:?}")),
            Some(old) if old != value => Some(format!("label {key}: {old:?} becomes {value:?}")),
            Some(_) => None,
        });
    let dropped = node
        .our_labels
        .iter()
        .filter(|key| !wanted.labels.contains_key(*key));
    set.chain(dropped.map(|key| format!("label {key}: remove")))
        .collect()
}

fn taint_differences(node: &Node, wanted: &NodeSettings) -> Vec<String> {
    let after = merged_taints(node, wanted);
    let by_id = |list: &[NodeTaint], taint: &NodeTaint| list.iter().find(|t| t.id() == taint.id()).cloned();
    let mut found = Vec::new();
    for old in &node.taints {
        match by_id(&after, old) {
            None => found.push(format!("taint {}: remove", old.id())),
            Some(new) if new.value != old.value => {
                found.push(format!(
                    "taint {}: {:?} becomes {:?}",
                    old.id(),
                    old.value,
                    new.value
                ));
            }
            Some(_) => {}
        }
    }
    let added = after.iter().filter(|new| by_id(&node.taints, new).is_none());
    found.extend(added.map(|new| format!("taint {}: add {:?}", new.id(), new.value)));
    found
}

/// The taints that the node should have: everybody's, less ours that were dropped, and those wanted.
fn merged_taints(node: &Node, wanted: &NodeSettings) -> Vec<NodeTaint> {
    let is_wanted = |taint: &NodeTaint| wanted.taints.iter().any(|w| w.id() == taint.id());
    let is_dropped = |taint: &NodeTaint| node.our_taints.contains(&taint.id()) && !is_wanted(taint);
    let control_plane = NodeTaint {
        key: CONTROL_PLANE.into(),
        value: String::new(),
        effect: "NoSchedule".into(),
        added: None,
    };
    let mut taints = node.taints.clone();
    taints.retain(|taint| !is_dropped(taint));
    if wanted.control_plane_taint == Some(false) {
        taints.retain(|taint| taint.id() != control_plane.id());
    }
    let add = wanted
        .taints
        .iter()
        .chain((wanted.control_plane_taint == Some(true)).then_some(&control_plane));
    for new in add {
        match taints.iter_mut().find(|taint| taint.id() == new.id()) {
            Some(old) => old.value.clone_from(&new.value),
            None => taints.push(new.clone()),
        }
    }
    taints
}

fn record(wanted: &NodeSettings) -> Vec<String> {
    wanted.taints.iter().map(NodeTaint::id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Node {
        Node::from_node(&json!({
            "metadata": {
                "name": "w1",
                "labels": {"kubernetes.io/hostname": "w1", "disk": "hdd", "old": "1"},
                "annotations": {TAINTS_RECORD: "gone:NoSchedule"},
                "managedFields": [
                    {"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {"f:kubernetes.io/hostname": {}}}}},
                    {"manager": MANAGER, "operation": "Apply", "fieldsV1": {"f:metadata": {"f:labels": {"f:disk": {}, "f:old": {}}}}},
                ],
            },
            "spec": {"taints": [
                {"key": CONTROL_PLANE, "effect": "NoSchedule"},
                {"key": "gone", "effect": "NoSchedule"},
                {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute", "timeAdded": "2026-11-21T10:00:00Z"},
            ]},
        }))
    }

    fn taint(key: &str) -> NodeTaint {
        NodeTaint {
            key: key.into(),
            value: "ci".into(),
            effect: "NoSchedule".into(),
            added: None,
        }
    }

    #[test]
    fn only_ours_is_removed() {
        let wanted = NodeSettings {
            name: "w1".into(),
            labels: [("disk".into(), "ssd".into()), ("role".into(), "agent".into())].into(),
            taints: vec![taint("dedicated")],
            control_plane_taint: None,
        };
        assert_eq!(
            differences(&node(), &wanted),
            [
                "label disk: \"hdd\" becomes \"ssd\"",
                "label role: add \"agent\"",
                "label old: remove",
                "taint gone:NoSchedule: remove",
                "taint dedicated:NoSchedule: add \"ci\"",
            ]
        );
        let kept = merged_taints(&node(), &wanted);
        assert!(
            kept.iter()
                .any(|t| t.key == "node.kubernetes.io/not-ready" && t.added.is_some())
        );
    }

    #[test]
    fn the_control_planes_taint_is_left_added_or_removed() {
        let with = |control_plane_taint| {
            let settings = NodeSettings {
                control_plane_taint,
                ..NodeSettings::default()
            };
            merged_taints(&node(), &settings)
                .iter()
                .filter(|t| t.key == CONTROL_PLANE)
                .count()
        };
        assert_eq!((with(None), with(Some(true)), with(Some(false))), (1, 1, 0));
    }

    #[test]
    fn settings_that_are_met_are_no_difference() {
        let mut live = node();
        live.our_labels = vec!["disk".into()];
        live.our_taints = vec!["gone:NoSchedule".into()];
        let wanted = NodeSettings {
            name: "w1".into(),
            labels: [("disk".into(), "hdd".into())].into(),
            taints: vec![NodeTaint {
                value: String::new(),
                ..taint("gone")
            }],
            control_plane_taint: Some(true),
        };
        assert_eq!(differences(&live, &wanted), Vec::<String>::new());
    }
}
