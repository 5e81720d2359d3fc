//! Volumes that a pod waits for: claims that do not bind, shares that can't be mounted.

use std::time::Duration;

use serde_json::Value;

use super::event::event_lines;
use super::explanation::Cause;
use super::related_objects::RelatedObjects;
use crate::cluster_api::node::{Condition, items};

/// What the scheduler says of a pod whose claims are not bound yet.
pub(super) const UNBOUND: &str = "unbound immediate PersistentVolumeClaims";
/// A provisioner answers within seconds; one that has just started, within a minute.
const BINDING: Duration = Duration::from_secs(90);
/// Somebody may be about to make the class that is missing.
const CLASS: Duration = Duration::from_secs(15);
/// The node tries again by itself; a server that restarts is back by then.
const MOUNTING: Duration = Duration::from_secs(60);

/// Claims that keep the pod from being scheduled, with what the cluster says of each.
pub(super) fn of_claims(related: &RelatedObjects, pod: &Value, conditions: &[Condition]) -> Vec<Cause> {
    let waits =
        |condition: &Condition| condition.kind == "PodScheduled" && condition.message.contains(UNBOUND);
    if !conditions.iter().any(waits) {
        return Vec::new();
    }
    let names = items(&pod["spec"]["volumes"])
        .filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str());
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
    let cause = |name: &str| {
        // That no class is set, and that a provisioner is waited for, are no warnings to Kubernetes.
        let mut events = event_lines(
            &related.events,
            "PersistentVolumeClaim",
            name,
            related.now,
            |_| true,
        );
        let problem = (!events.is_empty()).then(|| events.remove(0))?;
        let mut cause = Cause::new(format!("PersistentVolumeClaim {namespace}/{name}"), problem);
        cause.events = events;
        cause.hint =
            Some("check its StorageClass in the inventory, and that somebody makes volumes of that class");
        cause.patience = Some(if is_without_class(&cause.problem) {
            CLASS
        } else {
            BINDING
        });
        Some(cause)
    };
    names.filter_map(cause).collect()
}

/// Whether there is no such class. A provisioner makes volumes, not its class.
fn is_without_class(event: &str) -> bool {
    event.contains("storageclass") && event.contains("not found")
}

/// The cause that a node's failed mounts are, if the pod has any.
pub(super) fn of_mounts(place: &str, events: &[String]) -> Option<Cause> {
    let event = events.iter().find(|event| event.starts_with("FailedMount "))?;
    let (_, message) = event.split_once("): ")?;
    let mut cause = Cause::new(place, format!("a volume can't be mounted: {}", essence(message)));
    cause.hint = hint(message);
    // An event that only says that time passed is followed by one that says why.
    cause.patience = cause.hint.map(|_| MOUNTING);
    Some(cause)
}

/// What `mount` said, without kubelet's words around it.
fn essence(message: &str) -> String {
    let said = message.split_once("Output: ").map_or(message, |(_, said)| said);
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn hint(message: &str) -> Option<&'static str> {
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if has(&["access denied", "ermission denied"]) {
        Some("the NFS server does not export it to this node: add the node's address to the export")
    } else if has(&["No such file or directory", "not exported"]) {
        Some("the NFS server has no such directory or export: `showmount -e SERVER` lists what it has")
    } else if has(&["timed out", "refused", "No route to host", "unreachable"])
        && !has(&["for the condition"])
    {
        Some(
            "the NFS server does not answer this node: is it on, and does its firewall let 2049/tcp through?",
        )
    } else if has(&["bad option", "need a helper program"]) {
        Some("the node lacks the NFS client: `apply` installs it (nfs-common or nfs-utils)")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mount_said_is_the_cause() {
        let event = "FailedMount (x3, 5 s ago): MountVolume.SetUp failed for volume \"share\" : mount failed: exit status 32\n\
                     Mounting command: mount\nMounting arguments: -t nfs a:/b /c\nOutput: mount.nfs: access denied by server while mounting a:/b\n";
        let cause = of_mounts(
            "pod a/b on w1",
            &["Other (1 s ago): x".to_owned(), event.to_owned()],
        );
        let cause = cause.map(|cause| (cause.problem, cause.hint.is_some(), cause.patience));
        let problem = "a volume can't be mounted: mount.nfs: access denied by server while mounting a:/b";
        assert_eq!(cause, Some((problem.to_owned(), true, Some(MOUNTING))));
        assert_eq!(of_mounts("x", &["Failed (1 s ago): y".to_owned()]), None);
    }

    #[test]
    fn waiting_alone_is_no_reason_to_give_up() {
        let event =
            "FailedMount (5 s ago): Unable to attach or mount volumes: timed out waiting for the condition";
        let cause = of_mounts("pod", &[event.to_owned()]);
        assert_eq!(cause.map(|cause| cause.patience), Some(None));
    }
}
