//! sudo with a password: it works, a wrong one is explained, and it shows nowhere.

use super::explanations::the_failure_of;
use crate::support::eavesdropper::Eavesdropper;
use crate::support::lab::{Lab, Ran};

/// Of the user `ops` on every host of the lab.
const PASSWORD: &str = "lab-ops-password";
const VARIABLE: &str = "FAULTS_SUDO_PASSWORD";

/// The password is in no event, log, plan, command line or file.
pub(crate) fn stay_secret(lab: &Lab) {
    let inventory = as_ops(lab);
    lab.ssh("w1", "rm /etc/sysctl.d/99-zz-ci-bootstrap.conf");
    let log = lab.path("password.log");
    let log_flag = log.display().to_string();
    let plan = run(lab, &["plan", "--json"], &inventory, PASSWORD).ended(0);
    let ear = Eavesdropper::on(lab.name());
    let flags = ["apply", "--yes", "--json", "-vv", "--log-file", &log_flag];
    let apply = run(lab, &flags, &inventory, PASSWORD).ended(0);
    let heard = ear.heard();
    assert!(apply.changes() > 0, "nothing was done with the password");
    assert!(heard.len() > 10, "the eavesdropper is deaf: {heard:?}");
    assert!(
        !heard.iter().any(|line| line.contains(PASSWORD)),
        "in a command line"
    );
    let log = fs_err::read_to_string(log).unwrap();
    assert!(log.contains("kernel parameters"), "an empty log");
    for (place, text) in [
        ("plan", &plan.stdout),
        ("plan's messages", &plan.stderr),
        ("events", &apply.stdout),
        ("messages", &apply.stderr),
        ("debug log", &log),
    ] {
        assert!(!text.contains(PASSWORD), "in the {place}");
    }
    for host in crate::HOSTS {
        let files = format!("grep -rlsI {PASSWORD} /run /tmp /var/tmp /var/log /root /home /etc || true");
        assert_eq!(lab.ssh(host, &files), "", "in a file of {host}");
    }
}

/// A wrong password ends the run as a failed login, with a word about sudo.
pub(crate) fn are_explained_when_wrong(lab: &Lab) {
    let ran = run(
        lab,
        &["apply", "--yes", "--json"],
        &as_ops(lab),
        "not-the-password",
    )
    .ended(3);
    let reported = the_failure_of(&ran, "unreachable").to_string();
    assert!(reported.contains("sudo"), "{reported}");
    assert!(reported.contains("password"), "{reported}");
    assert!(!ran.stdout.contains("not-the-password"), "shown: {}", ran.stdout);
}

fn run(lab: &Lab, arguments: &[&str], inventory: &str, password: &str) -> Ran {
    let mut command = lab.program(arguments, inventory);
    Ran::of(&command.env(VARIABLE, password).output().unwrap())
}

fn as_ops(lab: &Lab) -> String {
    let sudo = format!("ssh: {{ user: ops, sudo: {{ password: {{ env: {VARIABLE} }} }},");
    lab.inventory(crate::HOSTS.len())
        .replace("ssh: { user: admin,", &sudo)
}
