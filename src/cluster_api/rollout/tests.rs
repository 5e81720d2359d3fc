//! From recorded objects to causes.

#![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use std::time::Duration;

use serde_json::{Value, json};

use super::causes::{causes, hopeless, stuck_pod};
use super::related_objects::RelatedObjects;
use super::state::{RolloutKind, RolloutTarget};

fn related(target: RolloutTarget, pods: Vec<Value>, nodes: Vec<Value>, events: Vec<Value>) -> RelatedObjects {
    RelatedObjects {
        target,
        live: Some(json!({})),
        pods,
        nodes,
        events,
        now: "2026-11-21T10:00:00Z".parse().unwrap(),
    }
}

fn daemonset() -> RolloutTarget {
    RolloutTarget::new(RolloutKind::DaemonSet, "kube-system", "calico-node")
}

fn ready_node(name: &str) -> Value {
    json!({"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
}

fn pulling(name: &str, node: &str) -> Value {
    json!({"metadata": {"namespace": "kube-system", "name": name}, "spec": {"nodeName": node},
        "status": {"phase": "Pending", "initContainerStatuses": [{"name": "install-cni", "state": {"waiting": {
            "reason": "ErrImagePull", "message": "registry.example/calico/cni:v9: not found"}}}]}})
}

#[test]
fn the_same_refusal_on_two_nodes_is_told_once() {
    let event = |reason: &str, message: &str| {
        json!({"involvedObject": {"kind": "Pod", "name": "p1"}, "type": "Warning", "reason": reason,
            "message": message, "lastTimestamp": "2026-11-21T09:59:50Z"})
    };
    let events = vec![
        event("FailedMount", "no such directory"),
        event("Failed", "Error: ErrImagePull"),
        event(
            "Failed",
            "Failed to pull image: registry.example/calico/cni:v9: not found",
        ),
    ];
    let related = related(
        daemonset(),
        vec![pulling("p1", "w1"), pulling("p2", "w2")],
        vec![ready_node("w1")],
        events,
    );
    let found = causes(&related);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0].to_string(),
        "  pod kube-system/p1 on w1, init container install-cni (and 1 more):\n    \
         ErrImagePull: registry.example/calico/cni:v9: not found\n    \
         event: FailedMount (10 s ago): no such directory\n    \
         help: the registry has no such image or tag: check name and version, or copy the image there"
    );
    assert!(hopeless(&found, |_| Duration::from_secs(30)).is_some());
    assert!(hopeless(&found, |_| Duration::from_secs(5)).is_none());
}

#[test]
fn a_pod_that_fits_nowhere_tells_the_schedulers_words() {
    let pod = json!({"metadata": {"namespace": "ci", "name": "a"}, "status": {"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient cpu."}]}});
    let target = RolloutTarget::new(RolloutKind::Deployment, "ci", "a");
    let found = causes(&related(target, vec![pod], vec![ready_node("w1")], vec![]));
    assert_eq!(
        found[0].problem,
        "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu."
    );
    assert!(found[0].hint.is_some_and(|h| h.contains("requests")));
}

#[test]
fn a_node_without_network_is_a_cause() {
    let node = json!({"metadata": {"name": "w1"}, "status": {"conditions": [
        {"type": "MemoryPressure", "status": "False"},
        {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "cni plugin not initialized"}]}});
    let found = causes(&related(
        RolloutTarget::node("w1"),
        vec![],
        vec![node, ready_node("w2")],
        vec![],
    ));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0].problem,
        "Ready is False: cni plugin not initialized (KubeletNotReady)"
    );
    assert!(found[0].hint.is_some());
}

#[test]
fn pods_that_could_not_be_created_show_the_controllers_event() {
    let events = vec![
        json!({"involvedObject": {"kind": "DaemonSet", "name": "calico-node"}, "type": "Warning",
        "reason": "FailedCreate", "message": "serviceaccount \"x\" not found", "lastTimestamp": "2026-11-21T09:59:00Z"}),
    ];
    let found = causes(&related(daemonset(), vec![], vec![ready_node("w1")], events));
    assert_eq!(found[0].problem, "no pods were created");
    assert!(found[0].events[0].contains("serviceaccount"), "{found:?}");
}

#[test]
fn a_cluster_without_nodes_is_told_so() {
    let found = causes(&related(daemonset(), vec![], vec![], vec![]));
    assert_eq!(found[0].problem, "it has no nodes");
}

fn crashing(name: &str, created: &str, version: &str) -> Value {
    json!({"metadata": {"namespace": "ci", "name": name, "creationTimestamp": created,
            "labels": {"pod-template-hash": version, "controller-revision-hash": version}},
        "spec": {"nodeName": "w1"}, "status": {"phase": "Running", "containerStatuses": [{"name": "main", "restartCount": 9,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}}}]}})
}

#[test]
fn a_broken_version_before_does_not_condemn_the_new_one() {
    let mut new = crashing("new", "2026-11-21T10:00:00Z", "v2");
    new["status"] = json!({"phase": "Pending", "containerStatuses": [
        {"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}]});
    let old = crashing("old", "2026-11-21T09:00:00Z", "v1");
    let target = RolloutTarget::new(RolloutKind::Deployment, "ci", "web");
    let found = causes(&related(
        target,
        vec![old.clone(), new],
        vec![ready_node("w1")],
        vec![],
    ));
    assert!(
        hopeless(&found, |_| Duration::from_secs(600)).is_none(),
        "{found:?}"
    );

    let target = RolloutTarget::new(RolloutKind::Deployment, "ci", "web");
    let found = causes(&related(target, vec![old], vec![ready_node("w1")], vec![]));
    assert!(
        hopeless(&found, |_| Duration::from_secs(600)).is_some(),
        "{found:?}"
    );
}

#[test]
fn a_stateful_set_is_stuck_on_its_broken_old_pod() {
    let target = RolloutTarget::new(RolloutKind::StatefulSet, "ci", "jenkins");
    let mut related = related(
        target,
        vec![crashing("jenkins-0", "2026-11-21T09:00:00Z", "v1")],
        vec![],
        vec![],
    );
    related.live = Some(json!({"status": {"updateRevision": "v2"}}));
    assert_eq!(stuck_pod(&related), Some("jenkins-0"));
    related.live = Some(json!({"status": {"updateRevision": "v1"}}));
    assert_eq!(stuck_pod(&related), None);
}

#[test]
fn a_pod_on_a_silent_node_holds_up_a_stateful_set_until_a_person_knows_more() {
    let pod = json!({"metadata": {"namespace": "ci", "name": "jenkins-0", "deletionTimestamp": "2026-11-21T09:59:00Z"},
        "spec": {"nodeName": "w1"}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}});
    let silent = json!({"metadata": {"name": "w1"}, "status": {"conditions": [
        {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}]}});
    let of = |kind, node| {
        let target = RolloutTarget::new(kind, "ci", "jenkins");
        let found = causes(&related(target, vec![pod.clone()], vec![node], vec![]));
        hopeless(&found, |_| Duration::from_secs(60)).map(ToString::to_string)
    };
    let reported = of(RolloutKind::StatefulSet, silent.clone());
    assert!(reported.is_some_and(|text| text.contains("on w1") && text.contains("out-of-service")));
    // It has another pod elsewhere by now.
    assert_eq!(of(RolloutKind::Deployment, silent), None);
    assert_eq!(of(RolloutKind::StatefulSet, ready_node("w1")), None);
}

#[test]
fn a_users_broken_pod_says_nothing_about_its_node() {
    let mut pod = crashing("agent", "2026-11-21T09:00:00Z", "v1");
    let with = |pod: Value| {
        causes(&related(
            RolloutTarget::node("w1"),
            vec![pod],
            vec![ready_node("w1")],
            vec![],
        ))
    };
    assert_eq!(with(pod.clone()), []);
    pod["spec"]["hostNetwork"] = true.into();
    assert_eq!(with(pod).len(), 1);
}

#[test]
fn a_pod_without_a_node_shows_what_is_wrong_with_the_nodes() {
    let pod = json!({"metadata": {"namespace": "ci", "name": "a"}, "status": {"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "2 node(s) had untolerated taint(s)"}]}});
    let full = json!({"metadata": {"name": "w2"}, "status": {"conditions": [{"type": "Ready", "status": "True"},
        {"type": "DiskPressure", "status": "True", "reason": "KubeletHasDiskPressure", "message": "kubelet has disk pressure"}]}});
    let target = RolloutTarget::new(RolloutKind::Deployment, "ci", "a");
    let found = causes(&related(target, vec![pod], vec![ready_node("w1"), full], vec![]));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[1]
            .to_string()
            .starts_with("  node w2:\n    DiskPressure is True"),
        "{}",
        found[1]
    );
    assert!(found[1].hint.is_some_and(|hint| hint.contains("space")));
}

#[test]
fn a_claim_that_nobody_binds_is_the_cause_and_ends_the_wait() {
    let pod = json!({"metadata": {"namespace": "ci", "name": "jenkins-0"},
        "spec": {"volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "home"}}, {"name": "tmp", "emptyDir": {}}]},
        "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."}]}});
    let event = json!({"involvedObject": {"kind": "PersistentVolumeClaim", "name": "home"}, "type": "Warning",
        "reason": "ProvisioningFailed", "message": "storageclass \"fast\" not found", "lastTimestamp": "2026-11-21T09:59:50Z"});
    let target = RolloutTarget::new(RolloutKind::StatefulSet, "ci", "jenkins");
    let found = causes(&related(target, vec![pod], vec![ready_node("w1")], vec![event]));
    assert_eq!(found[0].place, "PersistentVolumeClaim ci/home");
    assert!(
        found[0].problem.ends_with("storageclass \"fast\" not found"),
        "{found:?}"
    );
    assert!(hopeless(&found, |_| Duration::from_secs(15)).is_some());
    assert!(hopeless(&found, |_| Duration::from_secs(5)).is_none());
}
