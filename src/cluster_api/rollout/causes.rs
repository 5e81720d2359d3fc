//! From the objects around a target to what keeps it from being ready; pure.

use std::time::Duration;

use serde_json::Value;

use super::container::{Trouble, troubles};
use super::event::warnings;
use super::explanation::{Cause, LogSource};
use super::scene::Scene;
use super::state::RolloutKind;
use crate::cluster_api::node::{Condition, Node};

/// What keeps the target from being ready: its own conditions, its pods, their nodes. Same problems are told once.
pub(super) fn causes(scene: &Scene) -> Vec<Cause> {
    let mut found = Vec::new();
    if scene.nodes.is_empty() {
        found.push(Cause::new("cluster", "it has no nodes"));
    }
    found.extend(of_target(scene));
    found.extend(scene.pods.iter().flat_map(|pod| of_pod(scene, pod)));
    found.extend(of_nodes(scene));
    let mut causes = told_once(found);
    // What ends the wait comes first.
    causes.sort_by_key(|cause| cause.patience.is_none());
    causes
}

/// Conditions and events of the workload or node itself.
fn of_target(scene: &Scene) -> Vec<Cause> {
    let target = &scene.target;
    let Some(live) = &scene.live else {
        return vec![Cause::new(target.to_string(), "does not exist")];
    };
    if target.kind == RolloutKind::Node {
        return Vec::new();
    }
    let failing = Condition::all(live).into_iter().filter(|c| {
        c.kind == "ReplicaFailure" && c.status == "True" || c.kind == "Progressing" && c.status == "False"
    });
    let mut found: Vec<_> = failing
        .map(|c| Cause::new(target.to_string(), format!("{}: {}", c.reason, c.message)))
        .collect();
    // Pods that could not even be created have no other witness than these events.
    let events = warnings(
        &scene.events,
        &format!("{:?}", target.kind),
        &target.name,
        scene.now,
    );
    if scene.pods.is_empty() && found.is_empty() {
        found.push(Cause::new(target.to_string(), "no pods were created"));
    }
    if let Some(first) = found.first_mut() {
        first.events = events;
    }
    found
}

fn of_pod(scene: &Scene, pod: &Value) -> Vec<Cause> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (namespace, name) = (
        text(&pod["metadata"]["namespace"]),
        text(&pod["metadata"]["name"]),
    );
    let conditions = Condition::all(pod);
    let done = pod["status"]["phase"] == "Succeeded"
        || conditions.iter().any(|c| c.kind == "Ready" && c.status == "True");
    if done {
        return Vec::new();
    }
    let node = match pod["spec"]["nodeName"].as_str() {
        Some(node) => format!(" on {node}"),
        None => String::new(),
    };
    let place = format!("pod {namespace}/{name}{node}");
    let events = warnings(&scene.events, "Pod", &name, scene.now);
    let mut found = of_phase(&place, pod, &conditions);
    found.extend(
        troubles(pod)
            .into_iter()
            .map(|t| of_container(&place, &namespace, &name, t)),
    );
    if found.is_empty() {
        let phase = text(&pod["status"]["phase"]);
        found.push(Cause::new(&place, format!("is being made ready (phase {phase})")));
    }
    let news: Vec<_> = events
        .into_iter()
        .filter(|event| is_news(event, &found))
        .collect();
    if let Some(first) = found.first_mut() {
        first.events = news;
    }
    found
}

/// Whether an event says more than the causes already do.
fn is_news(event: &str, causes: &[Cause]) -> bool {
    let (reason, message) = event.split_once("): ").unwrap_or(("", event));
    let message = message.trim_start_matches("Error: ");
    let detail = |cause: &Cause| {
        cause
            .problem
            .split_once(": ")
            .map_or(String::new(), |(_, detail)| detail.to_owned())
    };
    let said = |cause: &Cause| {
        cause.problem.contains(message) || detail(cause).len() > 20 && message.contains(&detail(cause))
    };
    let back_off =
        reason.starts_with("BackOff") || message == "ErrImagePull" || message == "ImagePullBackOff";
    !back_off && !causes.iter().any(said)
}

/// What concerns the whole pod: not scheduled, evicted, not going.
fn of_phase(place: &str, pod: &Value, conditions: &[Condition]) -> Vec<Cause> {
    let mut found = Vec::new();
    let unscheduled = conditions
        .iter()
        .find(|c| c.kind == "PodScheduled" && c.status == "False");
    if let Some(condition) = unscheduled {
        let mut cause = Cause::new(place, format!("{}: {}", condition.reason, condition.message));
        cause.hint = scheduling_hint(&condition.message);
        found.push(cause);
    }
    if pod["status"]["phase"] == "Failed" {
        let text = |field: &str| pod["status"][field].as_str().unwrap_or_default();
        found.push(Cause::new(
            place,
            format!("failed: {} {}", text("reason"), text("message"))
                .trim()
                .to_owned(),
        ));
    }
    if let Some(since) = pod["metadata"]["deletionTimestamp"].as_str() {
        found.push(Cause::new(place, format!("is being deleted since {since}")));
    }
    found
}

fn of_container(place: &str, namespace: &str, pod: &str, trouble: Trouble) -> Cause {
    let kind = if trouble.init {
        "init container"
    } else {
        "container"
    };
    let mut cause = Cause::new(format!("{place}, {kind} {}", trouble.container), trouble.problem);
    cause.hint = trouble.hint;
    cause.patience = trouble.patience;
    cause.log_source = trouble.ran.then(|| LogSource {
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        container: trouble.container,
        previous: trouble.previous,
    });
    cause
}

/// The nodes that the target needs and that are not ready.
fn of_nodes(scene: &Scene) -> Vec<Cause> {
    let needed = |node: &Node| match scene.target.kind {
        RolloutKind::Node => node.name == scene.target.name,
        _ => scene
            .pods
            .iter()
            .any(|pod| pod["spec"]["nodeName"] == node.name.as_str()),
    };
    scene
        .nodes
        .iter()
        .map(Node::of)
        .filter(needed)
        .flat_map(|node| of_node(scene, &node))
        .collect()
}

fn of_node(scene: &Scene, node: &Node) -> Vec<Cause> {
    let place = format!("node {}", node.name);
    let wrong = node.conditions.iter().filter(|c| match c.kind.as_str() {
        "Ready" => c.status != "True",
        // Everything else that a node reports is bad when it is true.
        _ => c.status == "True",
    });
    let mut found: Vec<_> = wrong
        .map(|c| {
            let mut cause = Cause::new(
                &place,
                format!("{} is {}: {} ({})", c.kind, c.status, c.message, c.reason),
            );
            cause.hint = node_hint(&c.message);
            cause
        })
        .collect();
    if let Some(first) = found.first_mut() {
        first.events = warnings(&scene.events, "Node", &node.name, scene.now);
    }
    found
}

fn node_hint(message: &str) -> Option<&'static str> {
    if message.contains("cni")
        || message.contains("network plugin")
        || message.contains("NetworkPluginNotReady")
    {
        Some("the pod network is not up on this node: see the pods of its CNI plugin")
    } else if message.contains("stopped posting") {
        Some(
            "kubelet does not reach the API server: is the host up, and what does `journalctl -u kubelet` say?",
        )
    } else {
        None
    }
}

fn scheduling_hint(message: &str) -> Option<&'static str> {
    if message.contains("Insufficient") {
        Some("no node has enough free cpu or memory for its requests: lower them or add a node")
    } else if message.contains("not-ready") {
        Some("the nodes are not ready yet: they keep pods away until their network is up")
    } else if message.contains("untolerated taint") {
        Some("taints keep this pod off the nodes: join a node without, or allow pods on the control plane")
    } else if message.contains("unbound immediate PersistentVolumeClaims") {
        Some("its volume claim is not bound: see the storage provisioner")
    } else {
        None
    }
}

/// Merges causes with the same problem at the same kind of place.
fn told_once(found: Vec<Cause>) -> Vec<Cause> {
    let mut told: Vec<Cause> = Vec::new();
    for cause in found {
        let part = |place: &str| place.split_once(", ").map(|(_, part)| part.to_owned());
        let same = |other: &&mut Cause| {
            other.problem == cause.problem
                && part(&other.place) == part(&cause.place)
                && other.place.split(' ').next() == cause.place.split(' ').next()
        };
        match told.iter_mut().find(same) {
            Some(other) => other.also += 1,
            None => told.push(cause),
        }
    }
    told
}

/// The first cause that has lasted longer than it may, if `age` tells how long each has been seen.
pub(super) fn hopeless(causes: &[Cause], age: impl Fn(&Cause) -> Duration) -> Option<&Cause> {
    causes
        .iter()
        .find(|cause| cause.patience.is_some_and(|patience| age(cause) >= patience))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
    use serde_json::json;

    use super::*;
    use crate::cluster_api::rollout::state::RolloutTarget;

    fn scene(target: RolloutTarget, pods: Vec<Value>, nodes: Vec<Value>, events: Vec<Value>) -> Scene {
        Scene {
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
        let scene = scene(
            daemonset(),
            vec![pulling("p1", "w1"), pulling("p2", "w2")],
            vec![ready_node("w1")],
            events,
        );
        let found = causes(&scene);
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
        let found = causes(&scene(target, vec![pod], vec![ready_node("w1")], vec![]));
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
        let found = causes(&scene(
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
        let found = causes(&scene(daemonset(), vec![], vec![ready_node("w1")], events));
        assert_eq!(found[0].problem, "no pods were created");
        assert!(found[0].events[0].contains("serviceaccount"), "{found:?}");
    }

    #[test]
    fn a_cluster_without_nodes_is_told_so() {
        let found = causes(&scene(daemonset(), vec![], vec![], vec![]));
        assert_eq!(found[0].problem, "it has no nodes");
    }
}
