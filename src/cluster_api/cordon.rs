//! Cordons: nodes on which no new pods are scheduled. An annotation tells ours from an administrator's, which we keep.

use serde_json::{Value, json};

use super::call::ApiCall;
use super::client::Api;
use super::error::ApiError;

/// The annotation of a node that this program has cordoned.
const CORDONED: &str = "ci-bootstrap/cordoned";
/// How often a change is tried when somebody else changes the node meanwhile (kubelet does, often).
const ATTEMPTS: usize = 5;

/// Who has cordoned a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cordon {
    /// Nobody: pods are scheduled on it.
    Absent,
    /// This program.
    Ours,
    /// Somebody else, who alone may lift it.
    Foreign,
}

/// What is known about a node that may have to be cordoned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cordoning {
    /// Who has cordoned it.
    pub cordon: Cordon,
    /// Version of its kubelet, without the `v`.
    pub kubelet: String,
}

impl Cordoning {
    fn from_node(node: &Value) -> Self {
        let cordoned = node["spec"]["unschedulable"] == true;
        let ours = !node["metadata"]["annotations"][CORDONED].is_null();
        let version = node["status"]["nodeInfo"]["kubeletVersion"].as_str();
        Self {
            cordon: match (cordoned, ours) {
                (false, _) => Cordon::Absent,
                (true, true) => Cordon::Ours,
                (true, false) => Cordon::Foreign,
            },
            kubelet: version.unwrap_or_default().trim_start_matches('v').to_owned(),
        }
    }
}

impl Api {
    /// Who has cordoned a node; `None` if it has not joined.
    ///
    /// # Errors
    /// When the API server can't be asked.
    pub async fn cordoning(&self, name: &str) -> Result<Option<Cordoning>, ApiError> {
        let node = self.json_opt(ApiCall::get(path(name))).await;
        let node = node.map_err(|e| e.during(format_args!("read node {name}")))?;
        Ok(node.as_ref().map(Cordoning::from_node))
    }

    /// Cordons a node, unless it is cordoned already.
    ///
    /// # Errors
    /// When the API server refuses, or the node changes all the time.
    pub async fn cordon(&self, name: &str) -> Result<(), ApiError> {
        let done = self.patch_node(name, cordoning_patch).await;
        done.map_err(|e| e.during(format_args!("cordon node {name}")))
    }

    /// Lifts our cordon from a node. That of an administrator stays.
    ///
    /// # Errors
    /// When the API server refuses, or the node changes all the time.
    pub async fn uncordon(&self, name: &str) -> Result<(), ApiError> {
        let done = self.patch_node(name, uncordoning_patch).await;
        done.map_err(|e| e.during(format_args!("uncordon node {name}")))
    }

    /// Whoever cordoned it is read and written in one piece: the patch holds only for the version that was read.
    async fn patch_node(&self, name: &str, patch: fn(&Value) -> Option<Value>) -> Result<(), ApiError> {
        for attempt in 1.. {
            let node = self.json(ApiCall::get(path(name))).await?;
            let Some(patch) = patch(&node) else { break };
            match self.text(ApiCall::merge(path(name), &patch)).await {
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

fn cordoning_patch(node: &Value) -> Option<Value> {
    let absent = Cordoning::from_node(node).cordon == Cordon::Absent;
    absent.then(|| patch(node, &json!("true"), &json!(true)))
}

fn uncordoning_patch(node: &Value) -> Option<Value> {
    let ours = Cordoning::from_node(node).cordon == Cordon::Ours;
    ours.then(|| patch(node, &Value::Null, &Value::Null))
}

fn patch(node: &Value, ours: &Value, unschedulable: &Value) -> Value {
    json!({
        "metadata": {
            "resourceVersion": node["metadata"]["resourceVersion"],
            "annotations": {CORDONED: ours},
        },
        "spec": {"unschedulable": unschedulable},
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use crate::cluster_api::standin::{Reply, connect, refusal};

    fn node(unschedulable: bool, annotations: &Value) -> Value {
        json!({
            "metadata": {"name": "w1", "resourceVersion": "7", "annotations": annotations},
            "spec": if unschedulable { json!({"unschedulable": true}) } else { json!({}) },
            "status": {"nodeInfo": {"kubeletVersion": "v1.36.4"}},
        })
    }

    #[test]
    fn an_administrators_cordon_is_neither_taken_over_nor_lifted() {
        let foreign = node(true, &json!({"somebody": "else"}));
        assert_eq!(Cordoning::from_node(&foreign).cordon, Cordon::Foreign);
        assert_eq!(
            (cordoning_patch(&foreign), uncordoning_patch(&foreign)),
            (None, None)
        );
    }

    #[test]
    fn a_cordon_and_its_annotation_come_and_go_in_one_piece() {
        let free = node(false, &json!({}));
        let ours = node(true, &json!({CORDONED: "true"}));
        assert_eq!(
            (
                Cordoning::from_node(&free).cordon,
                Cordoning::from_node(&ours).cordon
            ),
            (Cordon::Absent, Cordon::Ours)
        );
        let cordoned = cordoning_patch(&free).unwrap();
        assert_eq!(
            cordoned["metadata"],
            json!({"resourceVersion": "7", "annotations": {CORDONED: "true"}})
        );
        assert_eq!(cordoned["spec"], json!({"unschedulable": true}));
        let lifted = uncordoning_patch(&ours).unwrap();
        assert_eq!(
            lifted["metadata"],
            json!({"resourceVersion": "7", "annotations": {CORDONED: null}})
        );
        assert_eq!(lifted["spec"], json!({"unschedulable": null}));
        assert_eq!((cordoning_patch(&ours), uncordoning_patch(&free)), (None, None));
    }

    #[test]
    fn an_annotation_that_was_left_behind_is_no_cordon() {
        // An administrator lifted our cordon with kubectl, which knows nothing of the annotation.
        let lifted = node(false, &json!({CORDONED: "true"}));
        assert_eq!(Cordoning::from_node(&lifted).cordon, Cordon::Absent);
        assert!(cordoning_patch(&lifted).is_some());
    }

    #[tokio::test]
    async fn a_node_that_changed_meanwhile_is_read_again() {
        let (api, log) = connect(|request, count| match request {
            "GET /api/v1/nodes/w1" => Reply::Json(200, node(false, &json!({}))),
            "PATCH /api/v1/nodes/w1" if count == 1 => {
                refusal(409, "Conflict", "the object has been modified")
            }
            "PATCH /api/v1/nodes/w1" => Reply::Json(200, node(true, &json!({CORDONED: "true"}))),
            _ => refusal(404, "NotFound", "no such path"),
        })
        .await;
        api.cordon("w1").await.unwrap();
        let asked = log.lock().unwrap().clone();
        let (get, patch) = ("GET /api/v1/nodes/w1", "PATCH /api/v1/nodes/w1");
        assert_eq!(asked, [get, patch, get, patch]);
    }

    #[tokio::test]
    async fn a_node_that_has_not_joined_has_no_cordon() {
        let (api, _) = connect(|_, _| refusal(404, "NotFound", "nodes \"w1\" not found")).await;
        assert_eq!(api.cordoning("w1").await.unwrap(), None);
        assert!(
            api.cordon("w1")
                .await
                .unwrap_err()
                .to_string()
                .starts_with("cordon node w1: ")
        );
    }
}
