//! From the objects around a target to what keeps it from being ready; pure.

use std::time::Duration;

use serde_json::Value;

use super::container::troubles;
use super::event::warnings;
use super::explanation::Cause;
use super::node_causes::of_nodes;
use super::pod_causes::of_pod;
use super::related_objects::RelatedObjects;
use super::state::RolloutKind;
use crate::cluster_api::node::Condition;

/// What keeps the target from being ready: its own conditions, its pods, their nodes. Same problems are reported once.
pub(super) fn causes(related: &RelatedObjects) -> Vec<Cause> {
    let mut found = Vec::new();
    if related.nodes.is_empty() {
        found.push(Cause::new("cluster", "it has no nodes"));
    }
    found.extend(of_target(related));
    found.extend(current_pods(related).flat_map(|pod| of_pod(related, pod)));
    found.extend(of_nodes(related));
    let mut causes = deduplicated(found);
    // What ends the wait comes first.
    causes.sort_by_key(|cause| cause.patience.is_none());
    causes
}

/// Conditions and events of the workload or node itself.
fn of_target(related: &RelatedObjects) -> Vec<Cause> {
    let target = &related.target;
    let Some(live) = &related.live else {
        return vec![Cause::new(target.to_string(), "does not exist")];
    };
    if target.kind == RolloutKind::Node {
        return Vec::new();
    }
    let failing = Condition::all(live).into_iter().filter(|c| {
        let wrong = match c.kind.as_str() {
            "ReplicaFailure" | "Failed" => "True",
            "Progressing" => "False",
            _ => return false,
        };
        c.status == wrong
    });
    let mut found: Vec<_> = failing
        .map(|c| {
            let mut cause = Cause::new(target.to_string(), format!("{}: {}", c.reason, c.message));
            // A Job that has failed does not try again.
            cause.patience = (c.kind == "Failed").then_some(Duration::ZERO);
            cause
        })
        .collect();
    // Pods that could not even be created have no other witness than these events.
    let events = warnings(
        &related.events,
        &format!("{:?}", target.kind),
        &target.name,
        related.now,
    );
    if related.pods.is_empty() && found.is_empty() {
        found.push(Cause::new(target.to_string(), "no pods were created"));
    }
    if let Some(first) = found.first_mut() {
        // A condition and its event are often the same sentence.
        let said = first.problem.split_once(": ").map_or("", |(_, said)| said);
        let news = |event: &String| said.is_empty() || !event.ends_with(said);
        first.events = events.into_iter().filter(news).collect();
    }
    found
}

/// The pods that matter: not those of the version before, which may well be broken, and on a node only those that come
/// up before its network does.
fn current_pods(related: &RelatedObjects) -> impl Iterator<Item = &Value> {
    let version = |pod: &Value| {
        let labels = &pod["metadata"]["labels"];
        let hash = labels["pod-template-hash"].as_str();
        hash.or(labels["controller-revision-hash"].as_str())
            .map(str::to_owned)
    };
    let created = |pod: &&Value| pod["metadata"]["creationTimestamp"].as_str().map(str::to_owned);
    let newest = related.pods.iter().max_by_key(created).and_then(version);
    related.pods.iter().filter(move |pod| match related.target.kind {
        RolloutKind::Node => pod["spec"]["hostNetwork"] == true,
        // A stateful set replaces its pods in order, so an old one can hold up all others.
        RolloutKind::StatefulSet | RolloutKind::Job => true,
        RolloutKind::DaemonSet | RolloutKind::Deployment => version(pod) == newest,
    })
}

/// Name of a broken pod of the version before, which a stateful set never replaces by itself: it waits for it to become ready.
pub(super) fn stuck_pod(related: &RelatedObjects) -> Option<&str> {
    let wanted = related.live.as_ref()?["status"]["updateRevision"].as_str()?;
    let old = |pod: &&Value| {
        let label = pod["metadata"]["labels"]["controller-revision-hash"].as_str();
        label.is_some_and(|label| label != wanted) && pod["metadata"]["deletionTimestamp"].is_null()
    };
    let broken = |pod: &&Value| troubles(pod).iter().any(|trouble| trouble.stopped);
    let kind = related.target.kind == RolloutKind::StatefulSet;
    let pod = related.pods.iter().filter(old).find(broken).filter(|_| kind)?;
    pod["metadata"]["name"].as_str()
}

/// Merges causes with the same problem at the same kind of place.
fn deduplicated(found: Vec<Cause>) -> Vec<Cause> {
    let mut reported: Vec<Cause> = Vec::new();
    for cause in found {
        let part = |place: &str| place.split_once(", ").map(|(_, part)| part.to_owned());
        let same = |other: &&mut Cause| {
            other.problem == cause.problem
                && part(&other.place) == part(&cause.place)
                && other.place.split(' ').next() == cause.place.split(' ').next()
        };
        match reported.iter_mut().find(same) {
            Some(other) => other.also += 1,
            None => reported.push(cause),
        }
    }
    reported
}

/// The first cause that has lasted longer than it may, if `age` tells how long each has been seen.
pub(super) fn hopeless(causes: &[Cause], age: impl Fn(&Cause) -> Duration) -> Option<&Cause> {
    causes
        .iter()
        .find(|cause| cause.patience.is_some_and(|patience| age(cause) >= patience))
}
