//! Many hosts that are only prepared, and one among them that can't be: one lab, cases in order.
//!
//! `cargo test --test fleet`; `KEEP_LAB=1` leaves the lab for a look afterwards.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::path::Path;

use support::cases::Cases;
use support::lab::Lab;

mod support {
    pub(crate) mod cases;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod lab;
}

const HOSTS: usize = 20;
/// The one that can't be prepared.
const BROKEN: &str = "w7";

#[test]
fn a_fleet_is_prepared() {
    let Some(lab) = Lab::up("fleet", 0, HOSTS) else {
        return;
    };
    let mut cases = Cases::of("fleet", &lab);
    cases.case("one broken host fails alone", one_fails_alone);
    cases.foundation("fixed, it follows", the_broken_one_follows);
    cases.case("a second apply changes nothing", second_apply);
    cases.case("drift of one host is fixed there alone", drift_of_one);
    cases.case("ufw is opened for the cluster", ufw_is_opened);
    let cache = std::env::var("LAB_ROOT").unwrap_or_else(|_| "/var/tmp/ci-bootstrap-lab".to_owned());
    if Path::new(&cache).join("rootfs/rocky9").is_dir() {
        cases.case("a RHEL-like host with firewalld", a_rhel_like_host);
    } else {
        cases.skip(
            "a RHEL-like host with firewalld",
            "run 'tests/lab/lab rhel prepare' first",
        );
    }
    cases.end();
}

/// A host with an /etc that nobody can write to; the other nineteen get all.
fn one_fails_alone(lab: &Lab) {
    lab.ssh(BROKEN, "mount --bind /etc /etc; mount -o remount,bind,ro /etc");
    let apply = lab.apply(&prepared(lab), &[]).ended(4);
    let failed: Vec<_> = apply
        .events
        .iter()
        .filter(|event| event["event"] == "placeFailed")
        .collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["place"], BROKEN);
    let reported = failed[0]["failure"].to_string();
    assert!(reported.contains("Read-only file system"), "{reported}");
    let done: BTreeSet<_> = apply
        .events
        .iter()
        .filter(|event| event["event"] == "placeDone")
        .map(|event| event["place"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(done.len(), HOSTS - 1, "{done:?}");
    for host in ["w1", "w20"] {
        lab.ssh(host, "kubelet --version; systemctl is-active containerd");
    }
}

fn the_broken_one_follows(lab: &Lab) {
    lab.ssh(BROKEN, "umount /etc");
    let apply = lab.apply(&prepared(lab), &[]).ended(0);
    let places = places(&apply.steps());
    assert_eq!(places, BTreeSet::from([BROKEN.to_owned()]));
}

fn second_apply(lab: &Lab) {
    let apply = lab.apply(&prepared(lab), &[]).ended(0);
    assert_eq!((apply.changes(), apply.steps().len()), (0, 0));
}

fn drift_of_one(lab: &Lab) {
    lab.ssh("w11", "rm /etc/sysctl.d/99-zz-ci-bootstrap.conf");
    let apply = lab.apply(&prepared(lab), &[]).ended(0);
    assert_eq!(places(&apply.steps()), BTreeSet::from(["w11".to_owned()]));
}

/// Where ufw is on, the cluster's traffic passes it, and what the site had opened stays open.
fn ufw_is_opened(lab: &Lab) {
    lab.ssh(
        "w2",
        "apt-get -qq update; DEBIAN_FRONTEND=noninteractive apt-get -qq install -y ufw >/dev/null; \
         ufw allow 22/tcp; ufw allow 9999/tcp; ufw --force enable",
    );
    let inventory = prepared(lab).replace("firewall: off", "firewall: managed");
    let apply = lab.apply(&inventory, &[]).ended(0);
    assert!(apply.steps().contains("w2: ufw"), "{:?}", apply.steps());
    let rules = lab.ssh("w2", "ufw status");
    assert!(rules.contains("Status: active"), "{rules}");
    assert!(rules.contains("9999/tcp"), "the site's rule is gone: {rules}");
    assert!(rules.contains("10.244.0.0/16"), "pods are kept out: {rules}");
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
}

/// Signed packages at their version, and a firewall that lets the cluster through now and after a reload.
fn a_rhel_like_host(lab: &Lab) {
    lab.lab(&["rhel", "up", "40"]);
    let host = lab.lab(&["rhel", "inventory-host", "40"]);
    let packages = lab.lab(&["rhel", "inventory-packages"]);
    let inventory = lab.lab(&["inventory", "--control-planes", "1", "1"]);
    let other = inventory.lines().find(|line| line.contains("name: cp1")).unwrap();
    let inventory = inventory
        .replace(other, host.trim_end())
        .replace("roles: [worker]", "roles: []")
        .replace("packages:\n", &format!("packages:\n{packages}"))
        .replace("firewall: off", "firewall: managed");
    lab.apply(&inventory, &[]).ended(0);
    let zones = lab.ssh("el40", "firewall-cmd --get-active-zones");
    assert!(
        zones.contains("ci-nodes"),
        "apply has not reloaded firewalld: {zones}"
    );
    let policies = lab.ssh("el40", "firewall-cmd --get-policies");
    assert!(
        policies.contains("ci-forward"),
        "hosts can't reach pods: {policies}"
    );
    let state = lab.ssh(
        "el40",
        "rpm -q kubelet containerd.io; firewall-cmd --reload; firewall-cmd --get-active-zones; \
         systemctl is-active containerd; ! grep -q '^[^#].*swap' /etc/fstab",
    );
    for wanted in [
        "kubelet-1.36.4-150500.1.1",
        "containerd.io-2.3.7",
        "success",
        "ci-nodes",
        "\nactive",
    ] {
        assert!(state.contains(wanted), "no {wanted:?} in {state}");
    }
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
}

/// The inventory of hosts that join nothing.
fn prepared(lab: &Lab) -> String {
    let count = HOSTS.to_string();
    let mut inventory = lab.lab(&["inventory", "--control-planes", "1", &count]);
    // The lab counts workers from the second host on; here all are alike.
    for number in (1..HOSTS).rev() {
        inventory = inventory.replace(&format!("name: w{number},"), &format!("name: w{},", number + 1));
    }
    inventory
        .replace("name: cp1,", "name: w1,")
        .replace("roles: [control-plane]", "roles: []")
        .replace("roles: [worker]", "roles: []")
}

fn places(steps: &BTreeSet<String>) -> BTreeSet<String> {
    let names = steps.iter().filter_map(|step| step.split_once(": "));
    names.map(|(place, _)| place.to_owned()).collect()
}
