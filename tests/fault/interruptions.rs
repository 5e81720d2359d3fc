//! Runs that meet each other, lose their host or their connection, or are stopped by a person.

use std::time::Duration;

use super::explanations::the_failure_of;
use super::kills::nothing_is_left;
use crate::support::lab::Lab;
use crate::support::running::{Running, USER};

/// Until a step begins, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);
/// The step that takes longest on a host.
const INSTALLATION: &str = "container runtime and Kubernetes";

/// A second run is told whose the first is, and the first isn't disturbed.
pub(crate) fn by_a_second_run(lab: &Lab) {
    let inventory = with_a_bare_host(lab);
    let mut first = Running::apply(lab, "first", &inventory);
    first.until_step("w2", INSTALLATION, PATIENCE);
    let second = lab.apply(&inventory, &[]).ended(6);
    let reported = the_failure_of(&second, "locked");
    let message = reported["failure"]["message"].as_str().unwrap_or_default();
    assert!(message.contains(&format!("{USER}@")), "who? {reported}");
    assert!(message.contains("since"), "since when? {reported}");
    assert!(message.contains("cp1"), "where? {reported}");
    first.end().ended(0);
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
}

/// A lock goes with the run that held it, however that ended.
pub(crate) fn by_a_kill_that_leaves_no_lock(lab: &Lab) {
    let inventory = with_a_bare_host(lab);
    let mut run = Running::apply(lab, "holder", &inventory);
    run.until_step("w2", INSTALLATION, PATIENCE);
    assert!(
        !lab.try_ssh("cp1", "flock -n /run/ci-bootstrap/lock true")
            .status
            .success(),
        "no lock during a run"
    );
    run.signal("KILL");
    run.end();
    lab.ssh("cp1", "flock -w 5 /run/ci-bootstrap/lock true");
    lab.apply(&inventory, &[]).ended(0);
    nothing_is_left(lab);
}

/// The first Ctrl-C lets running steps finish and starts none; the second ends at once.
pub(crate) fn by_ctrl_c(lab: &Lab) {
    let inventory = with_a_bare_host(lab);
    let mut run = Running::apply(lab, "stopped", &inventory);
    run.until_step("w2", INSTALLATION, PATIENCE);
    run.signal("INT");
    let stopped = run.end().ended(130);
    let begun = count(&stopped.events, "stepStarted");
    assert_eq!(
        begun,
        count(&stopped.events, "stepDone"),
        "a running step was not finished"
    );
    assert!(!stopped.steps().contains("w2: membership"), "a step was started");

    with_a_bare_host(lab);
    let mut run = Running::apply(lab, "ended", &inventory);
    run.until_step("w2", INSTALLATION, PATIENCE);
    until_at_work(lab);
    run.signal("INT");
    run.until("it stops", PATIENCE, |event| {
        event["event"] == "note" && event["text"].to_string().contains("stopping")
    });
    run.signal("INT");
    run.end().ended(130);
    assert!(is_at_work(lab), "the second Ctrl-C waited for the installation");
    lab.apply(&inventory, &[]).ended(0);
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
}

/// The work goes on when the connection is lost, and the next run waits for it.
pub(crate) fn by_a_lost_connection(lab: &Lab) {
    let inventory = with_a_bare_host(lab);
    let mut run = Running::apply(lab, "lost", &inventory);
    run.until_step("w2", INSTALLATION, PATIENCE);
    until_at_work(lab);
    lab.ssh("w2", "pkill -KILL -f '^sshd: admin'");
    let lost = run.end();
    assert!([3, 4].contains(&lost.code), "{}\n{}", lost.code, lost.stdout);
    let reported = the_failure_of(&lost, "unreachable");
    assert_eq!(reported["place"], "w2", "{reported}");
    assert!(is_at_work(lab), "the work did not go on");
    lab.apply(&inventory, &[]).ended(0);
    assert_eq!(lab.unready(), [""; 0]);
    nothing_is_left(lab);
}

/// What doesn't need the host that is gone is done; the summary names it and why.
pub(crate) fn by_a_host_without_power(lab: &Lab) {
    let inventory = lab.inventory(crate::HOSTS.len());
    // What runs there would be waited for until the cluster has it run elsewhere, after five minutes: tests/ci.rs does that.
    lab.kubectl("drain w2 --ignore-daemonsets --delete-emptydir-data --force --timeout=90s");
    lab.kubectl("uncordon w2");
    lab.host("kill", "w2");
    lab.ssh("w1", "rm /etc/sysctl.d/99-zz-ci-bootstrap.conf");
    let apply = lab.apply(&inventory, &[]).ended(3);
    let reported = the_failure_of(&apply, "unreachable");
    assert_eq!(reported["place"], "w2", "{reported}");
    assert!(
        apply.steps().contains("w1: kernel parameters at boot"),
        "{:?}",
        apply.steps()
    );
    lab.ssh("w1", "test -s /etc/sysctl.d/99-zz-ci-bootstrap.conf");
    let plain = lab
        .run(&["apply", "--yes", "--plain"], &inventory)
        .ended(3)
        .stdout;
    assert!(plain.contains("w2"), "{plain}");
    lab.host("up", "w2");
    lab.host("wait", "w2");
    lab.apply(&inventory, &[]).ended(0);
    assert_eq!(lab.apply(&inventory, &[]).ended(0).changes(), 0);
}

/// The cluster's inventory, with one host put back to how it was installed.
fn with_a_bare_host(lab: &Lab) -> String {
    lab.host("down", "w2");
    lab.host("up", "w2");
    lab.host("wait", "w2");
    lab.inventory(crate::HOSTS.len())
}

/// What lists the units of ours that run.
const AT_WORK: &str = "systemctl list-units --no-legend --state running 'ci-bootstrap-*'";

/// Whether a unit of ours runs on the host that is installed.
fn is_at_work(lab: &Lab) -> bool {
    !lab.ssh("w2", AT_WORK).is_empty()
}

/// A step is told before its unit has started, and what has not started ends with the connection.
fn until_at_work(lab: &Lab) {
    lab.ssh("w2", &format!("until {AT_WORK} | grep -q .; do sleep 0.1; done"));
}

fn count(events: &[serde_json::Value], kind: &str) -> usize {
    events.iter().filter(|event| event["event"] == kind).count()
}
