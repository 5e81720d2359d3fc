//! Losses and the ways back: backups of a running cluster, a control plane that is gone, certificates, a host that leaves.
//!
//! `cargo test --test recovery`; `KEEP_LAB=1` leaves the lab for a look afterwards.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use backup::schedule;
use recover::interruptions;
use support::bundles::{
    address, assert_back, assert_works, files, fill, first_apply, make, newest, objects, timed,
};
use support::cases::Cases;
use support::eavesdropper::{Eavesdropper, secret_in};
use support::lab::Lab;

mod backup {
    pub(crate) mod schedule;
}

mod recover {
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod interruptions;
}

mod support {
    pub(crate) mod bundles;
    pub(crate) mod cases;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod cuts;
    pub(crate) mod eavesdropper;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod lab;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod running;
}

const HOSTS: usize = 3;
/// A key that has signed nothing.
const ANOTHER_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBROjRwWiAF7mtfQI5IPs9cykfQrqq1/PqxfStnf/HFm";

#[test]
fn losses_are_recovered_from() {
    let Some(lab) = Lab::up("recovery", 1, HOSTS) else {
        return;
    };
    let mut cases = Cases::of("recovery", &lab);
    cases.foundation("a cluster with something in it", found);
    cases.foundation("a bundle is made while everything runs", backup);
    cases.case("a bundle is checked, and etcd's restore rehearsed", check);
    cases.case("an encrypted bundle needs its key", encrypted);
    cases.case("a damaged bundle is refused", damaged);
    cases.case("a bundle is taken by whom has signed it", signed);
    cases.case("a living cluster is never overwritten", living);
    cases.case(
        "a backup that is interrupted leaves no half bundle",
        interruptions::of_a_backup,
    );
    cases.case("a bundle is kept on a host", schedule::kept_on_a_host);
    cases.case("a host makes bundles by a timer", schedule::by_a_timer);
    cases.case("two bundles are kept", schedule::two_are_kept);
    cases.case("a timer is taken away", schedule::no_more);
    cases.case("certificates are renewed", renewed);
    cases.case("a worker leaves, and comes back as if bare", reset);
    cases.case(
        "the only control plane is lost, and its address too",
        address_lost,
    );
    cases.end();
}

fn found(lab: &Lab) {
    first_apply(lab, &lab.inventory(HOSTS));
    fill(lab);
    assert_eq!(lab.unready(), [""; 0]);
}

fn backup(lab: &Lab) {
    let ear = Eavesdropper::on(lab.name());
    make(lab, &lab.inventory(HOSTS), &[]);
    let heard = ear.heard();
    assert_eq!(
        heard.iter().find_map(|line| secret_in(line)),
        None,
        "in a command line"
    );
    let bundle = newest(lab);
    assert_eq!(
        fs_err::metadata(&bundle).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(files(lab).len(), 1, "{:?}", files(lab));
    let left = lab.ssh(
        "cp1",
        "ls -A /var/lib/ci-bootstrap | grep -vx masked-for-swap || true; grep -c etcd-image /proc/mounts || true",
    );
    assert_eq!(left, "0\n", "something stayed on the host");
}

fn check(lab: &Lab) {
    let ran = lab
        .run(
            &["backup", "check", &newest(lab), "--inventory"],
            &lab.inventory(HOSTS),
        )
        .ended(0);
    assert!(
        ran.stdout.contains("restored into a scratch folder of cp1"),
        "{}",
        ran.stdout
    );
    assert_eq!(lab.unready(), [""; 0]);
}

fn encrypted(lab: &Lab) {
    use age::secrecy::ExposeSecret as _;
    let key = age::x25519::Identity::generate();
    make(
        lab,
        &lab.inventory(HOSTS),
        &["--recipient", &key.to_public().to_string()],
    );
    let bundle = files(lab)
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "age"));
    let bundle = bundle.unwrap().display().to_string();
    let without = lab
        .run(
            &["backup", "check", &bundle, "--inventory"],
            &lab.inventory(HOSTS),
        )
        .ended(2);
    assert!(without.stderr.contains("--identity"), "{}", without.stderr);
    let identity = lab.path("key.txt");
    fs_err::write(&identity, key.to_string().expose_secret()).unwrap();
    let identity = identity.display().to_string();
    let flags = ["backup", "check", &bundle, "--identity", &identity, "--inventory"];
    lab.run(&flags, &lab.inventory(HOSTS)).ended(0);
}

/// Cut short, and with one byte turned: neither passes a check, and neither is restored.
fn damaged(lab: &Lab) {
    let good = fs_err::read(newest(lab)).unwrap();
    let mut turned = good.clone();
    turned[good.len() / 2] ^= 0x40;
    for (name, content) in [
        ("cut.tar.gz", &good[..good.len() - 2000]),
        ("turned.tar.gz", &turned),
    ] {
        let path = lab.path(name);
        fs_err::write(&path, content).unwrap();
        let path = path.display().to_string();
        let ran = lab
            .run(&["backup", "check", &path, "--inventory"], &lab.inventory(HOSTS))
            .ended(5);
        assert!(ran.stderr.contains("damaged"), "{name}: {}", ran.stderr);
        let apply = lab
            .apply(&lab.inventory(HOSTS), &["--restore", &path, "--allow-unverified"])
            .ended(2);
        assert_eq!(apply.steps(), BTreeSet::new());
    }
}

/// Every bundle of a cluster is signed with the same key; a restore looks at it before it looks at a host.
fn signed(lab: &Lab) {
    let (inventory, bundle) = (lab.inventory(HOSTS), newest(lab));
    let refused = lab.apply(&inventory, &["--restore", &bundle]).ended(2);
    assert!(refused.stderr.contains("isn't verified"), "{}", refused.stderr);
    let key = refused.stderr.split_once("ssh-ed25519 ").unwrap().1;
    let key = key.split_whitespace().next().unwrap();
    let known = format!("{inventory}backup: {{ signer: ssh-ed25519 {key} }}\n");
    make(lab, &known, &[]);
    let check = ["backup", "check", &newest(lab), "--inventory"];
    let ran = lab.run(&check, &known).ended(0);
    assert!(
        ran.stdout.contains("the key of the inventory has signed it"),
        "{}",
        ran.stdout
    );
    let older = lab.apply(&known, &["--restore", &bundle]).ended(4);
    assert!(older.stderr.contains("cp1 carries a cluster"), "{}", older.stderr);
    assert!(older.stderr.contains("was made at"), "{}", older.stderr);
    let other = format!("{inventory}backup: {{ signer: {ANOTHER_KEY} }}\n");
    for (arguments, exit) in [
        (
            &["apply", "--yes", "--restore", &bundle, "--allow-unverified"][..],
            2,
        ),
        (&check, 5),
        (&["backup", "--to", "w1:/srv/others"], 4),
    ] {
        let refused = lab.run(arguments, &other).ended(exit);
        assert!(refused.stderr.contains("another key"), "{}", refused.stderr);
    }
}

fn living(lab: &Lab) {
    let apply = lab
        .apply(
            &lab.inventory(HOSTS),
            &["--restore", &newest(lab), "--allow-unverified"],
        )
        .ended(4);
    assert!(
        apply.stderr.contains("cp1 carries a cluster already"),
        "{}",
        apply.stderr
    );
    assert_eq!(apply.steps(), BTreeSet::new());
    let other = lab
        .inventory(HOSTS)
        .replacen("\n  name: lab\n", "\n  name: other\n", 1);
    let apply = lab
        .apply(&other, &["--restore", &newest(lab), "--allow-unverified"])
        .ended(2);
    assert!(apply.stderr.contains("of another cluster"), "{}", apply.stderr);
}

fn renewed(lab: &Lab) {
    let ends = "for f in /etc/kubernetes/pki/*.crt /etc/kubernetes/pki/etcd/*.crt; do sha256sum $f; done | grep -v ca.crt";
    let before: BTreeSet<String> = lab.ssh("cp1", ends).lines().map(str::to_owned).collect();
    lab.run(&["renew"], &lab.inventory(HOSTS)).ended(0);
    let after: BTreeSet<String> = lab.ssh("cp1", ends).lines().map(str::to_owned).collect();
    assert_eq!(before.intersection(&after).next(), None);
    assert_eq!(lab.unready(), [""; 0]);
    assert_works(lab, &lab.inventory(HOSTS));
}

fn reset(lab: &Lab) {
    let inventory = lab.inventory(HOSTS);
    lab.run(&["reset", "w2", "--confirm", "wrong"], &inventory)
        .ended(2);
    let timer = ["backup", "--to", "w2:/srv/bundles", "--schedule", "weekly"];
    lab.run(&timer, &inventory).ended(0);
    lab.ssh("w2", "nft add table inet others; nft add chain inet others mine; mkdir -p /srv/data; echo kept >/srv/data/file");
    lab.run(&["reset", "w2", "--confirm", "lab"], &inventory).ended(0);
    assert!(!lab.kubectl("get nodes -o name").contains("w2"));
    let left = lab.ssh(
        "w2",
        "cat /srv/data/file; nft list tables; find /etc -name '*ci-bootstrap*'; grep -c ci-bootstrap /etc/hosts || true; ls /etc/kubernetes/kubelet.conf 2>&1 || true",
    );
    assert!(
        left.contains("kept") && left.contains("table inet others"),
        "{left}"
    );
    assert!(
        !left.contains("kube-proxy") && !left.contains("/etc/sysctl.d"),
        "{left}"
    );
    let has_line = |wanted: &str| left.lines().any(|line| line == wanted);
    assert!(!has_line("/etc/kubernetes/kubelet.conf"), "{left}");
    assert!(has_line("0"), "our block in /etc/hosts is still there: {left}");
    schedule::assert_gone(lab, "w2");
    assert!(lab.ssh("w2", "ls /srv/bundles").starts_with("lab-"));
    lab.ssh("w2", "nft delete table inet others");
    lab.apply(&inventory, &[]).ended(0);
    assert_eq!(lab.unready(), [""; 0]);
    lab.lab(&["smoke", "1"]);
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
}

/// Another machine with another address takes its place, under the same name; the workers are told.
fn address_lost(lab: &Lab) {
    let kept = objects(lab, "cp1");
    make(lab, &lab.inventory(HOSTS), &[]);
    lab.host("down", "cp1");
    lab.host("up", "w3");
    lab.host("wait", "w3");
    let four = lab.inventory(HOSTS + 1);
    let inventory = lab
        .inventory(HOSTS)
        .replace(&address(&four, "cp1"), &address(&four, "w3"));
    timed("the only control plane at another address", || {
        lab.apply(&inventory, &["--restore", &newest(lab), "--allow-unverified"])
            .ended(0);
    });
    assert_back(lab, "w3", &kept, HOSTS);
    assert_eq!(lab.plan(&inventory, &[]).ended(0).changes(), 0);
    assert_works(lab, &inventory);
    let number = lab.number("w3").to_string();
    lab.lab(&["smoke", &number]);
}
