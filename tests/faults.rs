//! What can go wrong on the way to a cluster, done on purpose: one lab, cases in order.
//!
//! `cargo test --test faults`; `FAULTS_SEED=…` repeats the instants of a run's kills, `KEEP_LAB=1` leaves the lab.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed unwrap is a failed test"
)]

use fault::{explanations, interruptions, kills, passwords};
use support::cases::Cases;
use support::lab::Lab;

mod fault {
    pub(crate) mod explanations;
    pub(crate) mod interruptions;
    pub(crate) mod kills;
    pub(crate) mod passwords;
}

mod support {
    pub(crate) mod cases;
    pub(crate) mod eavesdropper;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod lab;
    pub(crate) mod random;
    pub(crate) mod running;
}

const HOSTS: [&str; 3] = ["cp1", "w1", "w2"];

#[test]
fn faults_are_survived_and_explained() {
    let Some(lab) = Lab::up("faults", 1, HOSTS.len()) else {
        return;
    };
    let mut cases = Cases::of("faults", &lab);
    for mistake in &explanations::MISTAKES {
        cases.case(mistake.name, |lab| mistake.is_explained(lab));
    }
    cases.case(
        "a manifest with another checksum",
        explanations::of_a_wrong_checksum,
    );
    cases.case("a manifest that isn't there", explanations::of_an_absent_manifest);
    lab.host("down", "cp1");
    lab.host("up", "cp1");
    lab.host("wait", "cp1");
    let mut kills = 0;
    cases.foundation("killed again and again on the way from bare hosts", |lab| {
        kills = kills::of_a_first_apply(lab);
    });
    cases.case("killed while drift is fixed, twenty times in all", |lab| {
        kills::while_drift_is_mended(lab, kills);
    });
    cases.case(
        "a second run is told who is at work",
        interruptions::by_a_second_run,
    );
    cases.case(
        "a killed run leaves no lock",
        interruptions::by_a_kill_that_leaves_no_lock,
    );
    cases.case("Ctrl-C once and twice", interruptions::by_ctrl_c);
    cases.case(
        "a connection lost during an installation",
        interruptions::by_a_lost_connection,
    );
    cases.case("a host without power", interruptions::by_a_host_without_power);
    cases.case("a sudo password shows nowhere", passwords::stay_secret);
    cases.case(
        "a wrong sudo password is explained",
        passwords::are_explained_when_wrong,
    );
    cases.end();
}
