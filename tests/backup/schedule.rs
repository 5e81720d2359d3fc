//! Bundles that a host keeps, and makes by a timer of its own.

use std::time::Duration;

use crate::HOSTS;
use crate::support::bundles::folder;
use crate::support::eavesdropper::{Eavesdropper, secret_in};
use crate::support::lab::{Lab, Ran};
use crate::support::running::Running;

const TO: &str = "w1:/srv/backups";
/// What a schedule puts on its host.
const THERE: &str =
    "/etc/systemd/system/ci-bootstrap-backup.* /etc/ci-bootstrap /usr/local/sbin/ci-bootstrap*";
const AUTHORIZED: &str = "/home/admin/.ssh/authorized_keys";

/// A bundle goes to a host, and comes back whole.
pub(crate) fn kept_on_a_host(lab: &Lab) {
    let ran = backup(lab, &[]).ended(0);
    let name = bundles(lab).pop().unwrap();
    assert!(
        ran.stdout.starts_with(&format!("{TO}/{name}: ")),
        "{}",
        ran.stdout
    );
    check(lab, &name);
    assert_eq!(
        lab.ssh("w1", "ls -A /srv/backups"),
        format!("{name}\n"),
        "more than a bundle"
    );
}

/// The timer of one cluster is not replaced by that of another.
fn not_of_another_cluster(lab: &Lab) {
    let other = lab.inventory(HOSTS).replace("  name: lab\n", "  name: other\n");
    let refused = lab
        .run(&["backup", "--to", TO, "--schedule", "daily"], &other)
        .ended(4);
    assert!(
        refused.stderr.contains("makes bundles of the cluster lab"),
        "{}",
        refused.stderr
    );
}

/// A timer is refused, killed on its way, installed, and then there is nothing left to do.
pub(crate) fn by_a_timer(lab: &Lab) {
    let refused = backup(lab, &["--schedule", "every now and then"]).ended(2);
    assert!(
        refused.stderr.contains("every now and then"),
        "{}",
        refused.stderr
    );
    assert_eq!(lab.ssh("w1", &format!("ls -d {THERE} 2>/dev/null || true")), "");
    let keys = lab.ssh("cp1", &format!("cat {AUTHORIZED}"));
    for instant in [700, 1500, 3000, 5000] {
        let arguments = ["backup", "--to", TO, "--schedule", "daily"];
        let running = Running::start(lab, "schedule", &arguments, &lab.inventory(HOSTS));
        std::thread::sleep(Duration::from_millis(instant));
        running.signal("KILL");
        running.end();
    }
    let before = bundles(lab);
    let ear = Eavesdropper::on(lab.name());
    let ran = backup(lab, &["--schedule", "daily"]).ended(0);
    let heard = ear.heard();
    assert_eq!(heard.iter().find_map(|line| secret_in(line)), None);
    assert!(
        ran.stdout.contains("the next bundle is made on"),
        "{}",
        ran.stdout
    );
    let new: Vec<_> = bundles(lab)
        .into_iter()
        .filter(|name| !before.contains(name))
        .collect();
    let name = new.last().unwrap_or_else(|| before.last().unwrap());
    check(lab, name);
    modes(lab);
    let address = lab.address("w1");
    let now = lab.ssh("cp1", &format!("cat {AUTHORIZED}"));
    let line = now.strip_prefix(&keys).unwrap();
    assert!(
        line.starts_with(&format!("restrict,from=\"{address}\" ssh-ed25519 ")) && line.lines().count() == 1,
        "{now}"
    );
    let again = backup(lab, &["--schedule", "daily"]).ended(0);
    assert!(
        again.stdout.starts_with("w1: nothing to change\n"),
        "{}",
        again.stdout
    );
    not_of_another_cluster(lab);
    assert_eq!(
        lab.ssh("w1", "systemctl is-active ci-bootstrap-backup.timer"),
        "active\n"
    );
    let status = lab.run(&["status"], &lab.inventory(HOSTS));
    assert!(
        status.stdout.contains("bundles: w1 makes the next on "),
        "{}",
        status.stdout
    );
}

/// The settings are root's alone.
fn modes(lab: &Lab) {
    let found = lab.ssh(
        "w1",
        "cd /etc/ci-bootstrap/backup; find . -printf '%m %U %p\n' | sort",
    );
    let expected = [
        "600 0 ./inventory.json",
        "600 0 ./inventory.yaml",
        "600 0 ./key",
        "600 0 ./known_hosts",
        "600 0 ./proven",
        "700 0 .",
    ];
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
}

/// Three bundles more by the service, of which two stay, beside what is not ours.
pub(crate) fn two_are_kept(lab: &Lab) {
    lab.ssh(
        "w1",
        "touch /srv/backups/lab-notes.txt /srv/backups/other-20200101T000000Z.tar.gz",
    );
    let ran = backup(lab, &["--schedule", "Mon..Fri 22:30", "--keep", "2"]).ended(0);
    assert!(
        ran.stdout.contains("ci-bootstrap-backup.timer is written"),
        "{}",
        ran.stdout
    );
    for _ in 0..2 {
        // Names have seconds.
        std::thread::sleep(Duration::from_millis(1100));
        lab.ssh("w1", "systemctl start ci-bootstrap-backup.service");
    }
    assert_eq!(bundles(lab).len(), 2, "{:?}", bundles(lab));
    check(lab, bundles(lab).last().unwrap());
    let left = lab.ssh("w1", "ls -A /srv/backups");
    assert_eq!(left.lines().count(), 4, "{left}");
    assert!(
        left.contains("lab-notes.txt") && left.contains("other-2020"),
        "{left}"
    );
}

/// The timer goes with all that was made for it, and the bundles stay.
pub(crate) fn no_more(lab: &Lab) {
    let kept = bundles(lab);
    backup(lab, &["--schedule", "off"]).ended(0);
    assert_gone(lab, "w1");
    assert_eq!(bundles(lab), kept);
    let again = backup(lab, &["--schedule", "off"]).ended(0);
    assert_eq!(again.stdout, "w1: nothing to change\n");
}

/// Nothing of a schedule is left of what was made for it.
pub(crate) fn assert_gone(lab: &Lab, host: &str) {
    assert_eq!(lab.ssh(host, &format!("ls -d {THERE} 2>/dev/null || true")), "");
    let units = lab.ssh(
        host,
        "systemctl list-units --all --plain --no-legend 'ci-bootstrap*'",
    );
    assert_eq!(units, "");
    let keys = lab.ssh("cp1", &format!("cat {AUTHORIZED}"));
    assert!(!keys.contains("ci-bootstrap-backup@"), "{keys}");
}

fn backup(lab: &Lab, flags: &[&str]) -> Ran {
    lab.run(&[&["backup", "--to", TO], flags].concat(), &lab.inventory(HOSTS))
}

/// The lab's bundles on w1, the oldest first.
fn bundles(lab: &Lab) -> Vec<String> {
    let listed = lab.ssh("w1", "cd /srv/backups && ls -1 | grep '^lab-.*gz$' || true");
    listed.lines().map(str::to_owned).collect()
}

/// Fetches a bundle, which only root can read, and checks it; its inventory is the one that the program was given.
fn check(lab: &Lab, name: &str) {
    let file = format!("/srv/backups/{name}");
    assert_eq!(lab.ssh("w1", &format!("stat -c '%a %U' {file}")), "600 root\n");
    let path = folder(lab).join(format!("fetched-{name}"));
    let bytes = lab.try_ssh("w1", &format!("cat {file}")).stdout;
    fs_err::write(&path, bytes).unwrap();
    let fetched = path.display().to_string();
    lab.run(
        &["backup", "check", &fetched, "--inventory"],
        &lab.inventory(HOSTS),
    )
    .ended(0);
    let packed = std::process::Command::new("tar")
        .args(["-xzOf", &fetched, "inventory.yaml"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&packed.stdout), lab.inventory(HOSTS));
    fs_err::remove_file(path).unwrap();
}
