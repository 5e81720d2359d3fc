//! What keeps one pod from being ready.

use std::time::Duration;

use serde_json::Value;

use super::container::{ContainerProblem, ContainerRun, troubles};
use super::event::warnings;
use super::explanation::{Cause, LogSource};
use super::related_objects::RelatedObjects;
use super::state::RolloutKind;
use super::volume_causes::{UNBOUND, of_claims, of_mounts};
use crate::cluster_api::node::{Condition, Node};

/// A machine that only restarts is back by then: its pods are given up a minute or more after it was last heard of.
const SILENCE: Duration = Duration::from_secs(30);

/// Nothing for a pod that is ready or has done its work.
pub(super) fn of_pod(related: &RelatedObjects, pod: &Value) -> Vec<Cause> {
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
    let events = warnings(&of_this_pod(related, pod), "Pod", &name, related.now);
    let mut found = of_claims(related, pod, &conditions);
    found.extend(of_phase(&place, pod, &conditions));
    found.extend(of_end(related, &place, pod));
    found.extend(
        troubles(pod)
            .into_iter()
            .map(|t| of_container(&place, &namespace, &name, t)),
    );
    if found.is_empty() {
        let phase = text(&pod["status"]["phase"]);
        let waits = || Cause::new(&place, format!("is being made ready (phase {phase})"));
        found.push(of_mounts(&place, &events).unwrap_or_else(waits));
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

/// The events without those of earlier pods of the same name, as those of a stateful set have.
fn of_this_pod(related: &RelatedObjects, pod: &Value) -> Vec<Value> {
    let uid = pod["metadata"]["uid"].as_str();
    let is_of_another = |event: &Value| {
        let of = event["involvedObject"]["uid"].as_str();
        matches!((uid, of), (Some(uid), Some(of)) if uid != of)
    };
    let events = related.events.iter().filter(|event| !is_of_another(event));
    events.cloned().collect()
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

/// What concerns the whole pod: not scheduled, evicted.
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
    let text = |field: &str| pod["status"][field].as_str().unwrap_or_default();
    // Without a reason it is a container that has failed, and it tells more.
    if pod["status"]["phase"] == "Failed" && !text("reason").is_empty() {
        let problem = format!("failed: {} {}", text("reason"), text("message"));
        found.push(Cause::new(place, problem.trim()));
    }
    found
}

/// A pod that shall go. A stateful set makes no second one while the first may still run, and whether it does on a node
/// that is silent, only a person can find out.
fn of_end(related: &RelatedObjects, place: &str, pod: &Value) -> Option<Cause> {
    let by = pod["metadata"]["deletionTimestamp"].as_str()?;
    let mut cause = Cause::new(place, format!("is being deleted, and shall be gone by {by}"));
    let is_silent = |node: Node| pod["spec"]["nodeName"] == *node.name && node.is_silent();
    if related.target.kind == RolloutKind::StatefulSet
        && related.nodes.iter().map(Node::from_node).any(is_silent)
    {
        cause
            .problem
            .push_str(", and its node is silent: it may still run there");
        cause.hint = Some(
            "when that machine is off for certain, `kubectl taint node NODE node.kubernetes.io/out-of-service=nodeshutdown:NoExecute` \
             lets the pod start on another node; the same with `-` at its end takes that back when the machine is on again",
        );
        cause.patience = Some(SILENCE);
    }
    Some(cause)
}

fn of_container(place: &str, namespace: &str, pod: &str, trouble: ContainerProblem) -> Cause {
    let kind = if trouble.init {
        "init container"
    } else {
        "container"
    };
    let mut cause = Cause::new(format!("{place}, {kind} {}", trouble.container), trouble.problem);
    cause.hint = trouble.hint;
    cause.patience = trouble.patience;
    cause.log_source = (trouble.log != ContainerRun::Nothing).then(|| LogSource {
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        container: trouble.container,
        previous: trouble.log == ContainerRun::RunBefore,
    });
    cause
}

fn scheduling_hint(message: &str) -> Option<&'static str> {
    if message.contains("Insufficient") {
        Some("no node has enough free cpu or memory for its requests: lower them or add a node")
    } else if message.contains("disk-pressure") || message.contains("memory-pressure") {
        Some("the nodes are short of disk or memory, and take no pods until that is fixed")
    } else if message.contains("not-ready") {
        Some("the nodes are not ready yet: they keep pods away until their network is up")
    } else if message.contains("untolerated taint") {
        Some("taints keep this pod off the nodes: join a node without, or allow pods on the control plane")
    } else if message.contains(UNBOUND) {
        Some("its volume claim is not bound: see the storage provisioner")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster_api::rollout::state::RolloutTarget;

    #[test]
    fn events_of_the_pod_before_are_not_those_of_this_one() {
        let event = |uid: &str, message: &str| {
            json!({"involvedObject": {"kind": "Pod", "name": "jenkins-0", "uid": uid}, "type": "Warning",
                "reason": "Failed", "message": message})
        };
        let related = RelatedObjects {
            target: RolloutTarget::new(RolloutKind::StatefulSet, "ci", "jenkins"),
            live: None,
            pods: Vec::new(),
            nodes: Vec::new(),
            events: vec![event("old", "of the past"), event("new", "of today")],
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        let pod = json!({"metadata": {"namespace": "ci", "name": "jenkins-0", "uid": "new"}, "status": {"phase": "Pending"}});
        let causes = of_pod(&related, &pod);
        let reported = causes.iter().flat_map(|cause| &cause.events);
        let reported: Vec<_> = reported.cloned().collect();
        assert!(
            reported.len() == 1 && reported[0].ends_with("of today"),
            "{reported:?}"
        );
    }
}
