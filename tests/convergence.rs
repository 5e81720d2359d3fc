//! From bare hosts to a cluster, and back to it from every drift: one lab, cases in order.
//!
//! `cargo test --test convergence`; `KEEP_LAB=1` leaves the lab for a look afterwards.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;

use cluster::{drift, membership, verification};
use support::cases::Cases;
use support::eavesdropper::{Eavesdropper, secret_in};
use support::lab::Lab;
use support::snapshot::Snapshot;

mod cluster {
    pub(crate) mod drift;
    pub(crate) mod membership;
    pub(crate) mod verification;
}

mod support {
    pub(crate) mod cases;
    pub(crate) mod eavesdropper;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod lab;
    pub(crate) mod snapshot;
}

const HOSTS: [&str; 3] = ["cp1", "w1", "w2"];

#[test]
fn hosts_converge() {
    let Some(lab) = Lab::up("converge", 1, HOSTS.len()) else {
        return;
    };
    let mut cases = Cases::of("convergence", &lab);
    cases.foundation("from bare hosts to a cluster, as planned", from_bare_hosts);
    cases.case("pods reach each other by name", pods_talk);
    cases.case("nothing secret stays or shows", no_secret_stays);
    cases.case("a second apply changes nothing", second_apply);
    cases.case(
        "verify passes, and changes nothing",
        verification::of_a_cluster_that_works,
    );
    cases.case(
        "verify names what is broken",
        verification::of_a_cluster_that_is_broken,
    );
    cases.case("drift of five kinds on three hosts", drift::of_five_kinds);
    cases.case("drift of the container runtime", drift::of_the_container_runtime);
    cases.case("drift of a control plane", drift::of_a_control_plane);
    cases.case("hardening goes off and on", drift::of_hardening);
    cases.case("labels go on, come back and go", drift::of_labels);
    cases.case("Calico's objects are put back", drift::of_calico);
    cases.case("cluster DNS leaves a node that it crowds", drift::of_cluster_dns);
    let cache = std::env::var("LAB_ROOT").unwrap_or_else(|_| "/var/tmp/ci-bootstrap-lab".to_owned());
    let (name, own) = ("Calico's release manifest is applied whole", "manifests/standin");
    if Path::new(&cache).join(own).exists() {
        cases.skip(name, "not to be had here: the lab's own stands in its place");
    } else {
        cases.case(name, release_manifest_is_there);
    }
    cases.case("a broken pod network is waited for", drift::of_the_pod_network);
    cases.case("--limit leaves other hosts alone", drift::within_a_limit);
    cases.case("a reboot needs no change", membership::after_a_reboot);
    cases.case("a host is added later", membership::of_a_host_added_later);
    cases.case("a deleted node comes back", membership::of_a_deleted_node);
    cases.case("a half-joined host is joined", membership::of_a_half_join);
    cases.case(
        "another pod network is refused",
        membership::refused_for_another_network,
    );
    cases.end();
}

/// Upstream's has dozens of objects that nothing in the lab asks for.
fn release_manifest_is_there(lab: &Lab) {
    let inventory = lab.inventory(HOSTS.len());
    let url = inventory.split_once("manifest: { url: ").unwrap().1;
    let url = url.split(',').next().unwrap();
    let objects = lab.kubectl(&format!("get --output=name --filename={url}"));
    assert!(objects.lines().count() > 30, "{objects}");
}

/// `plan` changes nothing, and `apply` does what it said.
fn from_bare_hosts(lab: &Lab) {
    let inventory = lab.inventory(HOSTS.len());
    let before = Snapshot::of(lab, &HOSTS, false);
    assert!(before.len() > 5000, "{} lines are no snapshot", before.len());
    let plan = lab.plan(&inventory, &[]).ended(10);
    before.assert_same(&Snapshot::of(lab, &HOSTS, false), "a plan");
    let shown = lab.run(&["plan", "--plain"], &inventory).ended(0).stdout;
    let missing: Vec<_> = plan
        .steps()
        .into_iter()
        .filter(|step| !shows(&shown, step))
        .collect();
    assert_eq!(missing, [""; 0], "not in the plan for people:\n{shown}");
    for step in [
        "cp1: control plane",
        "w1: membership",
        "w2: hostname",
        "cluster: Calico",
    ] {
        assert!(plan.steps().contains(step), "no {step} in {:?}", plan.steps());
    }

    let (log, log_flag) = (lab.path("apply.log"), lab.path("apply.log").display().to_string());
    let ear = Eavesdropper::on(lab.name());
    let apply = lab.apply(&inventory, &["-vv", "--log-file", &log_flag]);
    let heard = ear.heard();
    let apply = apply.ended(0);
    let unplanned: Vec<_> = apply.steps().difference(&plan.steps()).cloned().collect();
    assert_eq!(unplanned, [""; 0], "apply did what plan had not said");
    assert_eq!(apply.changes(), apply.steps().len());

    assert!(
        heard.iter().any(|line| line.contains("kubeadm join")),
        "the eavesdropper is deaf: {heard:?}"
    );
    assert_eq!(
        heard.iter().find_map(|line| secret_in(line)),
        None,
        "in a command line"
    );
    assert_eq!(secret_in(&apply.stdout), None, "in the events");
    assert_eq!(
        verification::results(&apply),
        verification::all_passed(&HOSTS),
        "at the end of an apply"
    );
    let log = fs_err::read_to_string(log).unwrap();
    assert!(log.contains("kubeadm join"), "a log without the scripts");
    assert_eq!(secret_in(&log), None, "in the debug log");
    assert_eq!(lab.unready(), [""; 0]);
}

fn pods_talk(lab: &Lab) {
    lab.lab(&["smoke", "1"]);
}

/// Whether a plan for people names a `place: step`.
fn shows(plan: &str, place_and_step: &str) -> bool {
    let (place, step) = place_and_step.split_once(": ").unwrap_or_default();
    plan.contains(place) && plan.contains(step)
}

/// Tokens and configurations for joins are gone with the run.
fn no_secret_stays(lab: &Lab) {
    let tokens =
        lab.kubectl("-n kube-system get secrets --field-selector type=bootstrap.kubernetes.io/token -o name");
    assert_eq!(tokens, "");
    for host in HOSTS {
        let files = lab.ssh(host, "grep -r '' /run/ci-bootstrap");
        assert!(
            files.contains("/run/ci-bootstrap/ci-bootstrap-kubeadm.log:"),
            "{host}: {files}"
        );
        assert_eq!(secret_in(&files), None, "{host}");
        assert!(
            !files.contains(".yaml:"),
            "{host}: a configuration stayed: {files}"
        );
    }
}

fn second_apply(lab: &Lab) {
    let inventory = lab.inventory(HOSTS.len());
    let before = Snapshot::of(lab, &HOSTS, true);
    let apply = lab.apply(&inventory, &[]).ended(0);
    assert_eq!((apply.changes(), apply.steps().len()), (0, 0));
    assert!(
        verification::results(&apply).is_empty(),
        "a run without changes verifies nothing"
    );
    assert_eq!(lab.plan(&inventory, &[]).ended(0).changes(), 0);
    before.assert_same(&Snapshot::of(lab, &HOSTS, true), "a run without changes");
}
