//! Hosts that come, go, reboot and break off half-way.

use std::collections::BTreeSet;

use crate::support::lab::{Lab, Ran};
use crate::support::snapshot::Snapshot;

/// After a reboot the host is as it was, without anybody's help; a run only waits for it.
pub(crate) fn after_a_reboot(lab: &Lab) {
    lab.host("reboot", "w1");
    let apply = lab.apply(&lab.inventory(3), &[]).ended(0);
    assert_eq!((apply.steps(), apply.changes()), (BTreeSet::new(), 0));
    assert_eq!(lab.unready(), [""; 0]);
}

/// A fourth host in the inventory: it joins, the others learn its name, and nothing else happens.
pub(crate) fn of_a_host_added_later(lab: &Lab) {
    lab.host("up", "w3");
    lab.host("wait", "w3");
    let inventory = lab.inventory(4);
    let apply = lab.apply(&inventory, &[]).ended(0);
    let (new, others): (BTreeSet<_>, BTreeSet<_>) = apply
        .steps()
        .into_iter()
        .partition(|step| step.starts_with("w3: "));
    assert!(new.contains("w3: membership"), "{new:?}");
    assert_eq!(
        others,
        ["cp1", "w1", "w2"]
            .map(|host| format!("{host}: names of all hosts"))
            .into()
    );
    assert_eq!(lab.unready(), [""; 0]);
    assert_eq!(lab.kubectl("get node w3 -o name"), "node/w3\n");
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
}

/// A node that somebody deleted comes back.
pub(crate) fn of_a_deleted_node(lab: &Lab) {
    lab.kubectl("delete node w2");
    let inventory = lab.inventory(4);
    let plan = lab.plan(&inventory, &[]).ended(10);
    assert!(plan.steps().contains("w2: membership"), "{:?}", plan.steps());
    let apply = lab.apply(&inventory, &[]).ended(0);
    assert_eq!(
        (apply.steps(), apply.changes()),
        (["w2: membership".to_owned()].into(), 1)
    );
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
    assert_eq!(lab.unready(), [""; 0]);
    assert_eq!(lab.kubectl("get node w2 -o name"), "node/w2\n");
}

/// A join that broke off before kubelet had a certificate.
pub(crate) fn of_a_half_join(lab: &Lab) {
    lab.ssh(
        "w2",
        "systemctl stop kubelet; rm /var/lib/kubelet/pki/kubelet-client-*",
    );
    lab.kubectl("delete node w2");
    let inventory = lab.inventory(4);
    let apply = lab.apply(&inventory, &[]).ended(0);
    assert!(apply.steps().contains("w2: membership"), "{:?}", apply.steps());
    assert!(
        apply.steps().iter().all(|step| step.starts_with("w2: ")),
        "{:?}",
        apply.steps()
    );
    assert_eq!(lab.unready(), [""; 0]);
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
}

/// What a cluster was initialized with can't be changed: said, and nothing done.
pub(crate) fn refused_for_another_network(lab: &Lab) {
    let hosts = ["cp1", "w1", "w2", "w3"];
    let inventory = lab.inventory(hosts.len());
    let other = inventory.replace("pods: 10.244.0.0/16", "pods: 10.99.0.0/16");
    assert_ne!(inventory, other);
    let before = Snapshot::of(lab, &hosts, true);
    let apply = lab.apply(&other, &[]).ended(4);
    let failure = failure(&apply, "cluster");
    for word in [
        "cluster.networks.pods",
        "10.99.0.0/16",
        "10.244.0.0/16",
        "restore the values of the cluster in the inventory",
    ] {
        assert!(failure.contains(word), "no {word} in {failure}");
    }
    before.assert_same(&Snapshot::of(lab, &hosts, true), "a refused run");
}

/// Why a place failed: message, help and output.
fn failure(apply: &Ran, place: &str) -> String {
    let failed = |event: &&serde_json::Value| event["event"] == "placeFailed" && event["place"] == place;
    let event = apply.events.iter().find(failed);
    event.map_or_else(String::new, |event| event["failure"].to_string())
}
