//! What `verify` finds.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;

use crate::HOSTS;
use crate::support::lab::{Lab, Ran};
use crate::support::snapshot::Snapshot;

/// Results by place and check.
type Results = BTreeMap<(String, String), String>;

/// `passed`, `failed` or `skipped` of each check that a run made.
pub(crate) fn results(ran: &Ran) -> Results {
    let checked = ran.events.iter().filter(|event| event["event"] == "checked");
    let text = |event: &serde_json::Value, key: &str| event[key].as_str().unwrap().to_owned();
    checked
        .map(|event| {
            // The registry's address is another in each lab.
            let check = text(event, "check")
                .split(' ')
                .take(2)
                .collect::<Vec<_>>()
                .join(" ");
            let check = if check.starts_with("registry") {
                "registry".to_owned()
            } else {
                check
            };
            ((text(event, "place"), check), text(event, "result"))
        })
        .collect()
}

/// What there is to check in a cluster of these hosts, all of it passed.
pub(crate) fn all_passed(hosts: &[&str]) -> Results {
    let of_hosts = hosts
        .iter()
        .flat_map(|host| [(*host, "cluster DNS"), (*host, "registry")]);
    let all = of_hosts.chain([("cluster", "nodes ready")]);
    all.map(|(place, check)| ((place.to_owned(), check.to_owned()), "passed".to_owned()))
        .collect()
}

fn verify(lab: &Lab) -> Ran {
    lab.run(&["verify", "--json"], &lab.inventory(HOSTS.len()))
}

pub(crate) fn of_a_cluster_that_works(lab: &Lab) {
    let before = Snapshot::of(lab, &HOSTS, true);
    let verified = verify(lab).ended(0);
    assert_eq!(results(&verified), all_passed(&HOSTS));
    before.assert_same(&Snapshot::of(lab, &HOSTS, true), "a verification");
}

/// A DNS server that is gone, a registry's CA that a host has lost: each is named, with its cause.
pub(crate) fn of_a_cluster_that_is_broken(lab: &Lab) {
    let inventory = lab.inventory(HOSTS.len());
    let registry = inventory
        .lines()
        .find_map(|line| line.trim().strip_prefix("imageRepository: "))
        .unwrap();
    lab.kubectl("-n kube-system scale deployment coredns --replicas=0");
    // Until its last pod is gone, it answers: kube-proxy sends on to pods that are ending where there are no others.
    lab.kubectl("-n kube-system wait --for=delete pod -l k8s-app=kube-dns --timeout=60s");
    lab.ssh("w2", "mv /etc/containerd/certs.d /etc/containerd/certs.gone");
    let verified = verify(lab);
    let shown = lab.run(&["verify", "--plain"], &inventory);
    lab.ssh("w2", "mv /etc/containerd/certs.gone /etc/containerd/certs.d");
    lab.kubectl("-n kube-system scale deployment coredns --replicas=2");
    lab.kubectl("-n kube-system rollout status deployment coredns --timeout=120s");

    let verified = verified.ended(5);
    let failed: Vec<_> = results(&verified)
        .into_iter()
        .filter(|(_, result)| result == "failed")
        .map(|((place, check), _)| format!("{place}: {check}"))
        .collect();
    assert_eq!(
        failed,
        [
            "cp1: cluster DNS",
            "w1: cluster DNS",
            "w2: cluster DNS",
            "w2: registry"
        ]
    );
    let shown = shown.ended(5).stdout;
    for cause in [
        "Deployment kube-system/coredns",
        &format!("{registry} has a certificate of a CA that the node doesn't trust"),
        "help:",
    ] {
        assert!(shown.contains(cause), "no `{cause}` in\n{shown}");
    }
    verify(lab).ended(0);
}
