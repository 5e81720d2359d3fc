//! Another release of Kubernetes on a cluster that runs: by raising `cluster.kubernetes` in the inventory.
//!
//! `cargo test --test upgrade`; `KEEP_LAB=1` leaves the lab for a look afterwards. The releases are those of tests/lab/other-releases.tsv.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use support::cases::Cases;
use support::lab::{Lab, Ran};
use support::running::Running;

mod support {
    pub(crate) mod cases;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod lab;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod running;
}

/// A release, and the lab's repository of its packages.
type Release = (&'static str, &'static str);

const OLD: Release = ("1.35.8", "kubernetes-1.35");
/// The lab's own.
const OWN: Release = ("1.36.4", "kubernetes");
const NEW: Release = ("1.36.5", "kubernetes-1.36.5");

const CONTROL_PLANE: &str = "release of the control plane";

#[test]
fn a_patch_release() {
    let Some(lab) = lab_with(NEW, "patch", 2) else {
        return;
    };
    let mut cases = Cases::of("upgrade to a patch release", &lab);
    cases.foundation("a cluster of the release before", |lab| found(lab, 2, OWN));
    cases.case("plan shows it, apply does it, and no container restarts", patch);
    cases.case("a way back is refused before anything is touched", way_back);
    cases.end();
}

#[test]
fn a_minor_release() {
    if std::env::var_os("REHEARSE").is_none() {
        return support::lab::skip::skipped("upgrade to a minor release", "part of `make rehearsals`");
    }
    let Some(lab) = lab_with(OLD, "minor", 3) else {
        return;
    };
    let mut cases = Cases::of("upgrade to a minor release", &lab);
    cases.foundation("a cluster of the release before", |lab| found(lab, 3, OLD));
    cases.case("two minor releases at once are refused", two_at_once);
    cases.case(
        "killed amid the control plane, the next apply finishes it",
        killed,
    );
    cases.end();
}

/// A lab of one control plane, where the lab's cache has the release; elsewhere the test is skipped.
fn lab_with(release: Release, test: &str, hosts: usize) -> Option<Lab> {
    let cache = std::env::var("LAB_ROOT").unwrap_or_else(|_| "/var/tmp/ci-bootstrap-lab".to_owned());
    if Path::new(&cache).join("repos").join(release.1).exists() {
        return Lab::up(test, 1, hosts);
    }
    let why = format!(
        "the lab has no Kubernetes {}: it comes from LAB_ARTIFACTS",
        release.0
    );
    support::lab::skip::skipped(&format!("upgrade to a {test} release"), &why);
    None
}

/// The lab's inventory with another release.
fn inventory(lab: &Lab, hosts: usize, (version, repository): Release) -> String {
    let own = lab.inventory(hosts);
    let other = own
        .replace(
            &format!("kubernetes: {}", OWN.0),
            &format!("kubernetes: {version}"),
        )
        .replace("/kubernetes/,", &format!("/{repository}/,"));
    assert!(
        other.contains(&format!("kubernetes: {version}\n")) && other.contains(&format!("/{repository}/,")),
        "{other}"
    );
    other
}

fn found(lab: &Lab, hosts: usize, release: Release) {
    lab.apply(&inventory(lab, hosts, release), &[]).ended(0);
    lab.lab(&["smoke", "1"]);
    assert_at(lab, hosts, release);
}

/// Kubelets, static pods, kube-proxy and the cluster's configuration are at this release, and at no other.
#[track_caller]
fn assert_at(lab: &Lab, hosts: usize, (version, _): Release) {
    assert_eq!(lab.unready(), [""; 0]);
    let kubelets = lab.kubectl("get nodes -o jsonpath='{.items[*].status.nodeInfo.kubeletVersion}'");
    assert_eq!(kubelets, vec![format!("v{version}"); hosts].join(" "));
    let images = lab.kubectl(
        "get pods -n kube-system -o jsonpath='{range .items[*].spec.containers[*]}{.image}{\"\\n\"}{end}'",
    );
    let of_the_release = images.lines().filter(|image| image.contains("/kube-"));
    let tags: BTreeSet<_> = of_the_release
        .filter(|image| !image.contains("calico"))
        .filter_map(|image| image.rsplit_once(':'))
        .collect();
    let names = [
        "kube-apiserver",
        "kube-controller-manager",
        "kube-proxy",
        "kube-scheduler",
    ];
    assert_eq!(tags.len(), names.len(), "{images}");
    assert!(
        tags.iter().all(|(_, tag)| *tag == format!("v{version}")),
        "{images}"
    );
    let configuration =
        lab.kubectl("get configmap -n kube-system kubeadm-config -o jsonpath='{.data.ClusterConfiguration}'");
    assert!(
        configuration.contains(&format!("kubernetesVersion: v{version}")),
        "{configuration}"
    );
}

/// Uids, containers and restarts of the worker's pods that are not the upgrade's own: kube-proxy's and CoreDNS' new pods are.
fn pods_of_w1(lab: &Lab) -> BTreeSet<String> {
    let pods = lab.kubectl(
        "get pods -A --field-selector spec.nodeName=w1 -o jsonpath='{range .items[*]}{.metadata.name} {.metadata.uid} \
         {.status.containerStatuses[*].containerID} {.status.containerStatuses[*].restartCount}{\"\\n\"}{end}'",
    );
    let others = pods
        .lines()
        .filter(|pod| !pod.starts_with("kube-proxy-") && !pod.starts_with("coredns-"));
    others.map(str::to_owned).collect()
}

/// A pod that only stays, of the lab's own image.
fn start_pod(lab: &Lab, inventory: &str) {
    let registry = inventory.split_once("imageRepository: ").unwrap().1;
    let registry = registry.lines().next().unwrap();
    lab.kubectl(&format!(
        "create deployment stays --image={registry}/busybox:2 -- sleep infinity"
    ));
    lab.kubectl("rollout status deployment/stays --timeout=90s");
}

fn patch(lab: &Lab) {
    let inventory = inventory(lab, 2, NEW);
    start_pod(lab, &inventory);
    let before = pods_of_w1(lab);
    assert!(before.iter().any(|pod| pod.starts_with("stays-")), "{before:?}");
    let plan = lab.plan(&inventory, &[]).ended(10);
    for step in [
        "cp1: release of the control plane",
        "w1: release of kubelet",
        "cp1: etcd of before the upgrade",
    ] {
        assert!(plan.steps().contains(step), "no {step} in {:?}", plan.steps());
    }
    assert_at(lab, 2, OWN);
    lab.apply(&inventory, &[]).ended(0);
    assert_upgraded(lab, 2, &inventory);
    assert_eq!(pods_of_w1(lab), before);
}

/// The cluster is at the new release, works, and needs no further change.
#[track_caller]
fn assert_upgraded(lab: &Lab, hosts: usize, inventory: &str) {
    let again = lab.apply(inventory, &[]).ended(0);
    assert_eq!((again.changes(), again.steps()), (0, BTreeSet::new()));
    assert_at(lab, hosts, if inventory.contains(NEW.1) { NEW } else { OWN });
    lab.run(&["verify", "--json"], inventory).ended(0);
}

fn way_back(lab: &Lab) {
    let refused = lab.apply(&inventory(lab, 2, OWN), &[]);
    assert_refused(&refused, "no way back");
    assert_at(lab, 2, NEW);
}

fn two_at_once(lab: &Lab) {
    let inventory = inventory(lab, 3, OLD)
        .replace(&format!("kubernetes: {}", OLD.0), "kubernetes: 1.37.0")
        .replace("version: 3.32.1", "version: 3.33.0");
    assert_refused(&lab.apply(&inventory, &[]), "2 minor releases above 1.35.8");
    assert_at(lab, 3, OLD);
}

#[track_caller]
fn assert_refused(ran: &Ran, why: &str) {
    assert_ne!(ran.code, 0);
    assert!(
        ran.stdout.contains(why) || ran.stderr.contains(why),
        "{}\n{}",
        ran.stdout,
        ran.stderr
    );
    assert_eq!(ran.steps(), BTreeSet::new());
}

/// kubeadm goes on when the program is killed, so the hosts' processes of the step are killed too.
fn killed(lab: &Lab) {
    let inventory = inventory(lab, 3, OWN);
    let mut run = Running::apply(lab, "killed", &inventory);
    run.until_step("cp1", CONTROL_PLANE, Duration::from_secs(300));
    lab.ssh("cp1", "n=0; until pgrep -x kubeadm >/dev/null && grep -q 'image: .*:v1.36' /etc/kubernetes/manifests/kube-apiserver.yaml; do n=$((n+1)); [ $n -lt 600 ]; sleep 0.2; done");
    run.signal("KILL");
    lab.ssh("cp1", "pkill -KILL -x kubeadm");
    run.end();
    lab.apply(&inventory, &[]).ended(0);
    assert_upgraded(lab, 3, &inventory);
    lab.ssh("cp1", "test -s /var/lib/ci-bootstrap/upgrade/etcd-v1.35.8.db");
}
