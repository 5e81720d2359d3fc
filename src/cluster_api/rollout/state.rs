//! How far a workload or node is.

use std::fmt;

use serde_json::Value;

use crate::cluster_api::node::Condition;
use crate::cluster_api::object::ObjectId;

/// Kinds that can be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutKind {
    /// A pod on each node.
    DaemonSet,
    /// Interchangeable pods.
    Deployment,
    /// Pods with names and volumes of their own.
    StatefulSet,
    /// A pod that does its work and ends.
    Job,
    /// A node itself.
    Node,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutTarget {
    /// Its kind.
    pub kind: RolloutKind,
    /// Its namespace; empty for a node.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl RolloutTarget {
    /// A node.
    pub fn node(name: impl Into<String>) -> Self {
        Self::new(RolloutKind::Node, "", name)
    }

    /// A workload in a namespace.
    pub fn new(kind: RolloutKind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    pub(in crate::cluster_api) fn id(&self) -> ObjectId {
        let api_version = match self.kind {
            RolloutKind::Node => "v1",
            RolloutKind::Job => "batch/v1",
            _ => "apps/v1",
        };
        let namespace = (self.kind != RolloutKind::Node).then_some(&*self.namespace);
        ObjectId::new(api_version, format!("{:?}", self.kind), namespace, &self.name)
    }

    /// Path of the collection, to watch this one object in.
    pub(super) fn collection(&self) -> String {
        let namespace = &self.namespace;
        match self.kind {
            RolloutKind::Node => "/api/v1/nodes".into(),
            RolloutKind::Job => format!("/apis/batch/v1/namespaces/{namespace}/jobs"),
            RolloutKind::DaemonSet => format!("/apis/apps/v1/namespaces/{namespace}/daemonsets"),
            RolloutKind::Deployment => format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
            RolloutKind::StatefulSet => format!("/apis/apps/v1/namespaces/{namespace}/statefulsets"),
        }
    }
}

impl fmt::Display for RolloutTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id().fmt(f)
    }
}

/// How far it is, in numbers and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cluster_api) struct State {
    pub(in crate::cluster_api) done: bool,
    pub(in crate::cluster_api) text: String,
}

/// Reads the state of what was asked for from the live object.
pub(in crate::cluster_api) fn state(kind: RolloutKind, live: Option<&Value>) -> State {
    let Some(live) = live else {
        return State {
            done: false,
            text: "does not exist".into(),
        };
    };
    match kind {
        RolloutKind::Node => return node(live),
        RolloutKind::Job => return job(live),
        _ => {}
    }
    let (spec, status) = (&live["spec"], &live["status"]);
    if number(&status["observedGeneration"]) < number(&live["metadata"]["generation"]) {
        return State {
            done: false,
            text: "not yet taken up by its controller".into(),
        };
    }
    let replicas = spec["replicas"].as_i64().unwrap_or(1);
    match kind {
        RolloutKind::DaemonSet => {
            let desired = number(&status["desiredNumberScheduled"]);
            let updated = number(&status["updatedNumberScheduled"]);
            pods(desired, updated, number(&status["numberAvailable"]), 0)
        }
        RolloutKind::StatefulSet => {
            let available = status["availableReplicas"].as_i64();
            let available = available.unwrap_or_else(|| number(&status["readyReplicas"]));
            pods(replicas, number(&status["updatedReplicas"]), available, 0)
        }
        _ => {
            let updated = number(&status["updatedReplicas"]);
            let old = number(&status["replicas"]) - updated;
            pods(replicas, updated, number(&status["availableReplicas"]), old)
        }
    }
}

fn pods(desired: i64, updated: i64, available: i64, old: i64) -> State {
    let mut text = format!("{available} of {desired} pods ready");
    if updated < desired {
        text = format!("{text}, {updated} of them up to date");
    }
    if old > 0 {
        text = format!("{text}, {old} of the old version still there");
    }
    State {
        done: updated >= desired && available >= desired && old <= 0,
        text,
    }
}

fn job(live: &Value) -> State {
    let conditions = Condition::all(live);
    let is = |kind: &str| conditions.iter().any(|c| c.kind == kind && c.status == "True");
    let text = if is("Complete") {
        "done"
    } else if is("Failed") {
        "failed"
    } else if number(&live["status"]["ready"]) > 0 {
        "at work"
    } else {
        "waits for its pod"
    };
    State {
        done: is("Complete"),
        text: text.to_owned(),
    }
}

fn node(live: &Value) -> State {
    let ready = Condition::all(live).into_iter().find(|c| c.kind == "Ready");
    let text = match &ready {
        None => "has not reported yet".to_owned(),
        Some(c) if c.status == "True" => "ready".to_owned(),
        Some(c) => format!("not ready: {} ({})", c.message, c.reason),
    };
    State {
        done: ready.is_some_and(|c| c.status == "True"),
        text,
    }
}

pub(super) fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_daemonset_is_done_when_every_node_has_the_new_pod() {
        let with = |generation: i64, updated: i64, available: i64| {
            let live = json!({"metadata": {"generation": generation}, "status": {"observedGeneration": 2,
                "desiredNumberScheduled": 3, "updatedNumberScheduled": updated, "numberAvailable": available}});
            state(RolloutKind::DaemonSet, Some(&live))
        };
        assert!(with(2, 3, 3).done);
        assert_eq!(with(2, 1, 2).text, "2 of 3 pods ready, 1 of them up to date");
        assert!(!with(2, 3, 2).done);
        assert_eq!(with(3, 3, 3).text, "not yet taken up by its controller");
    }

    #[test]
    fn a_deployment_is_not_done_while_old_pods_serve() {
        let with = |replicas: i64| {
            let live = json!({"metadata": {"generation": 1}, "spec": {"replicas": 2}, "status": {"observedGeneration": 1,
                "replicas": replicas, "updatedReplicas": 2, "availableReplicas": 2}});
            state(RolloutKind::Deployment, Some(&live))
        };
        assert!(with(2).done);
        assert_eq!(
            with(3).text,
            "2 of 2 pods ready, 1 of the old version still there"
        );
        assert!(!with(3).done);
    }

    #[test]
    fn a_job_is_done_when_it_says_so() {
        let with = |status: Value| state(RolloutKind::Job, Some(&json!({"status": status})));
        assert_eq!(with(json!({})).text, "waits for its pod");
        assert_eq!(with(json!({"active": 1, "ready": 1})).text, "at work");
        let ended = |kind: &str| with(json!({"conditions": [{"type": kind, "status": "True"}]}));
        assert!(ended("Complete").done);
        assert_eq!(
            (ended("Failed").done, ended("Failed").text.as_str()),
            (false, "failed")
        );
    }

    #[test]
    fn a_node_says_why_it_is_not_ready() {
        let live = json!({"status": {"conditions": [
            {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "cni plugin not initialized"}]}});
        let state = state(RolloutKind::Node, Some(&live));
        assert_eq!(
            (state.done, state.text.as_str()),
            (false, "not ready: cni plugin not initialized (KubeletNotReady)")
        );
    }
}
