//! What would break an apply is found before it: bare hosts with planted faults, one lab, cases in order.
//!
//! `cargo test --test preflight`; `KEEP_LAB=1` leaves the lab for a look afterwards.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;

use support::cases::Cases;
use support::lab::{Lab, Ran};
use support::snapshot::Snapshot;

mod support {
    pub(crate) mod cases;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod lab;
    pub(crate) mod snapshot;
}

const HOSTS: [&str; 3] = ["cp1", "w1", "w2"];

#[test]
fn faults_are_found_before_the_first_change() {
    let Some(lab) = Lab::up("preflight", 1, HOSTS.len()) else {
        return;
    };
    let mut cases = Cases::of("preflight", &lab);
    cases.foundation("nothing is found where all is well", all_is_well);
    cases.case("a preflight and a plan touch nothing", nothing_is_touched);
    cases.case("planted faults are named by their cause", planted_faults);
    cases.case("a repository that is not there", repository_is_not_there);
    cases.end();
}

fn preflight(lab: &Lab, inventory: &str, flags: &[&str]) -> Ran {
    lab.run(&[&["preflight", "--json"], flags].concat(), inventory)
}

/// `place: check: message` of everything that a run found wrong.
fn found(ran: &Ran) -> BTreeSet<String> {
    let failed = ran.events.iter().filter(|event| event["result"] == "failed");
    failed
        .map(|event| {
            let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let message = word(&event["failure"]["message"]).replace('\n', "; ");
            format!("{}: {}: {message}", word(&event["place"]), word(&event["check"]))
        })
        .collect()
}

fn all_is_well(lab: &Lab) {
    let ran = preflight(lab, &lab.inventory(HOSTS.len()), &[]).ended(0);
    assert_eq!(found(&ran), BTreeSet::new());
    let passed = ran.events.iter().filter(|event| event["result"] == "passed");
    // A login and eleven checks on each; the lab leaves out the speed of its one disk.
    assert_eq!(passed.count(), 12 * HOSTS.len(), "{}", ran.stdout);
}

fn nothing_is_touched(lab: &Lab) {
    let inventory = lab.inventory(HOSTS.len());
    let before = Snapshot::of(lab, &HOSTS, false);
    assert!(before.len() > 5000, "{} lines are no snapshot", before.len());
    preflight(lab, &inventory, &[]).ended(0);
    before.assert_same(&Snapshot::of(lab, &HOSTS, false), "a preflight");
    lab.plan(&inventory, &[]).ended(10);
    before.assert_same(&Snapshot::of(lab, &HOSTS, false), "a plan");
}

fn planted_faults(lab: &Lab) {
    let inventory = lab.inventory(HOSTS.len());
    let id = lab.ssh("w1", "cat /etc/machine-id");
    lab.ssh(
        "w1",
        "mkdir -p /etc/cni/net.d; echo '{}' >/etc/cni/net.d/05-cilium.conflist
         systemd-run --unit=busy systemd-socket-activate --accept --listen=10250 /bin/true",
    );
    lab.ssh(
        "w2",
        &format!(
            "apt-get -qq update; apt-get -qq install -y nftables >/dev/null 2>&1
             nft 'add table inet planted; add chain inet planted input {{ type filter hook input priority 0; }}
                  add rule inet planted input udp dport 4789 drop; add rule inet planted input tcp dport 10250 drop'
             cp -p /etc/machine-id /root/machine-id; echo {} >/etc/machine-id
             mkdir -p /var/lib/containerd; mount -t tmpfs -o size=10M planted /var/lib/containerd",
            id.trim()
        ),
    );
    let ran = preflight(lab, &inventory, &[]).ended(4);
    let expected = [
        "w1: conflicts: another pod network has left /etc/cni/net.d/05-cilium.conflist, which the runtime takes before Calico's; \
         TCP 10250 is taken by the program systemd-socket-",
        "w1: identity: w1, w2 have the same machine ID",
        "w2: identity: w1, w2 have the same machine ID",
        "w2: ports: w2 drops TCP 10250 from cp1; w2 drops UDP 4789 from everybody",
        "cp1: ports: w2 drops TCP 10250 from cp1",
    ];
    let found = found(&ran);
    for line in expected {
        assert!(
            found.iter().any(|found| found.starts_with(line)),
            "no {line:?} in {found:#?}"
        );
    }
    let is_full = |line: &String| line.starts_with("w2: disk-space: 10 MiB are free for /var/lib/containerd");
    assert!(found.iter().any(is_full), "{found:#?}");
    assert_eq!(found.len(), expected.len() + 1, "{found:#?}");

    // There is no cluster yet: what is between two hosts keeps all from being changed.
    let before = Snapshot::of(lab, &HOSTS, false);
    let apply = lab.apply(&inventory, &[]).ended(4);
    assert_eq!((apply.changes(), apply.steps()), (0, BTreeSet::new()));
    before.assert_same(&Snapshot::of(lab, &HOSTS, false), "an apply that was refused");
    let ignored = ["ports", "identity", "conflicts", "disk-space"];
    let flags: Vec<_> = ignored.iter().flat_map(|check| ["--ignore", check]).collect();
    preflight(lab, &inventory, &flags).ended(0);
    lab.plan(&inventory, &flags).ended(10);

    lab.ssh("w1", "rm /etc/cni/net.d/05-cilium.conflist; systemctl stop busy");
    lab.ssh(
        "w2",
        "nft delete table inet planted; cp -p /root/machine-id /etc/machine-id; umount /var/lib/containerd",
    );
    preflight(lab, &inventory, &[]).ended(0);
}

fn repository_is_not_there(lab: &Lab) {
    let inventory = lab.inventory(HOSTS.len());
    let url = inventory.split_once("kubernetes: { url: ").unwrap().1;
    let url = url.split(',').next().unwrap();
    let nowhere = inventory.replace(url, &format!("{url}nowhere/"));
    let found = found(&preflight(lab, &nowhere, &[]).ended(4));
    assert_eq!(found.len(), HOSTS.len(), "{found:#?}");
    let is_named = |line: &String| line.contains("repository kubernetes") && line.ends_with("answers 404");
    assert!(found.iter().all(is_named), "{found:#?}");
}
