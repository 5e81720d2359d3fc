//! Jenkins' home after losses: in a bundle, gone while the cluster lives, gone with everything else.
//!
//! The controller and the agents are the lab's stand-ins, behind the names of Jenkins' images; its volume is a directory of a node.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use home_cases::interruptions;
use support::bundles::{address, assert_works, first_apply, make, newest, timed};
use support::cases::Cases;
use support::home;
use support::jenkins::Jenkins;
use support::lab::Lab;
use support::volume;

mod home_cases {
    pub(crate) mod interruptions;
}

mod support {
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod bundles;
    pub(crate) mod cases;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod cuts;
    pub(crate) mod home;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod jenkins;
    #[expect(dead_code, reason = "other tests use more of it")]
    pub(crate) mod lab;
    pub(crate) mod random;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod running;
    pub(crate) mod volume;
}

const HOSTS: usize = 2;

#[test]
fn builds_outlive_losses() {
    let Some(lab) = Lab::up("home", 1, HOSTS) else {
        return;
    };
    let mut cases = Cases::of("recovery of Jenkins", &lab);
    cases.foundation("Jenkins with a build", found);
    cases.foundation("its home is in a bundle, made while it runs", backup);
    cases.case("the home is gone, and the cluster lives", home_gone);
    cases.case(
        "a home's way back is interrupted",
        interruptions::of_a_home_put_back,
    );
    cases.case(
        "everything is gone, and the new machines have other addresses",
        everything_gone,
    );
    cases.end();
}

/// Where the hosts are: the lab's first ones, or those that took their places.
struct Site {
    inventory: String,
    cp1: &'static str,
    w1: &'static str,
}

impl Site {
    fn first(lab: &Lab) -> Self {
        Self {
            inventory: home::inventory(&lab.inventory(HOSTS), Some(volume::CLASS)),
            cp1: "cp1",
            w1: "w1",
        }
    }

    /// The same cluster on the next two hosts of the lab.
    fn second(lab: &Lab) -> Self {
        let four = lab.inventory(2 * HOSTS);
        let mut inventory = Self::first(lab).inventory;
        for (old, new) in [("cp1", "w2"), ("w1", "w3")] {
            inventory = inventory.replace(
                &format!("{}, ", address(&four, old)),
                &format!("{}, ", address(&four, new)),
            );
        }
        Self {
            inventory,
            cp1: "w2",
            w1: "w3",
        }
    }

    fn jenkins<'a>(&self, lab: &'a Lab) -> Jenkins<'a> {
        Jenkins::at(lab, self.cp1, &address(&self.inventory, "cp1"))
    }

    /// The jobs, builds and credentials of the bundle are there, and work.
    fn assert_back(&self, lab: &Lab) {
        home::assert_back(&self.jenkins(lab));
        assert_works(lab, &self.inventory);
    }
}

fn key(lab: &Lab, w1: &str) -> String {
    lab.ssh(w1, "sha256sum </var/lib/jenkins-home/secrets/master.key")
}

fn found(lab: &Lab) {
    first_apply(lab, &lab.inventory(HOSTS));
    volume::make(lab);
    let site = Site::first(lab);
    lab.apply(&site.inventory, &[]).ended(0);
    home::build(&site.jenkins(lab));
}

fn backup(lab: &Lab) {
    let site = Site::first(lab);
    make(lab, &site.inventory, &[]);
    let check = lab.run(&["backup", "check", &newest(lab), "--inventory"], &site.inventory);
    let check = check.ended(0);
    assert!(
        check.stdout.contains("Jenkins' home is among them"),
        "{}",
        check.stdout
    );
}

/// What the volume had is gone; Jenkins comes up with nothing, and gets its home back when told.
fn home_gone(lab: &Lab) {
    let site = Site::first(lab);
    let before = key(lab, "w1");
    lab.ssh("w1", "find /var/lib/jenkins-home -mindepth 1 -delete");
    lab.kubectl("-n kube-ops delete pod jenkins-0");
    lab.apply(&site.inventory, &[]).ended(0);
    assert_ne!(key(lab, "w1"), before, "the home was not lost");
    let bundle = newest(lab);
    let refused = lab
        .apply(&site.inventory, &["--restore", &bundle, "--allow-unverified"])
        .ended(4);
    assert!(
        refused.stderr.contains("carries a cluster already"),
        "{}",
        refused.stderr
    );
    timed("Jenkins' home alone", || {
        let restored = lab
            .apply(
                &site.inventory,
                &["--restore-home", &bundle, "--allow-unverified"],
            )
            .ended(0);
        assert_ne!(restored.changes(), 0, "{}", restored.stdout);
    });
    assert_eq!(key(lab, "w1"), before);
    site.assert_back(lab);
}

/// All machines and what they had are gone; there is a bundle, and bare machines with other addresses.
fn everything_gone(lab: &Lab) {
    let before = key(lab, "w1");
    for host in ["cp1", "w1"] {
        lab.host("down", host);
    }
    let site = Site::second(lab);
    for host in [site.cp1, site.w1] {
        lab.host("up", host);
    }
    for host in [site.cp1, site.w1] {
        lab.host("wait", host);
    }
    volume::directory(lab, site.w1);
    let bundle = newest(lab);
    timed("everything, from a bundle", || {
        lab.apply(&site.inventory, &["--restore", &bundle, "--allow-unverified"])
            .ended(0);
    });
    assert_eq!(key(lab, site.w1), before);
    site.assert_back(lab);
    let again = lab
        .apply(&site.inventory, &["--restore", &bundle, "--allow-unverified"])
        .ended(0);
    assert_eq!(again.changes(), 0);
}
