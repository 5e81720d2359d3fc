//! Three control planes: joined one at a time, and one of them lost and replaced.
//!
//! `cargo test --test high_availability`; `KEEP_LAB=1` leaves the lab for a look afterwards.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::time::Instant;

use support::bundles::{address, assert_back, assert_works, fill, first_apply_took, objects, timed};
use support::cases::Cases;
use support::eavesdropper::{Eavesdropper, secret_in};
use support::home;
use support::jenkins::Jenkins;
use support::lab::{Lab, Ran};
use support::rehearsal::rehearse;
use support::volume;

mod support {
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod bundles;
    pub(crate) mod cases;
    pub(crate) mod eavesdropper;
    pub(crate) mod home;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod jenkins;
    pub(crate) mod lab;
    pub(crate) mod rehearsal;
    pub(crate) mod volume;
}

const CONTROL_PLANES: [&str; 3] = ["cp1", "cp2", "cp3"];
const HOSTS: usize = 4;

#[test]
fn control_planes_are_many() {
    let Some(lab) = Lab::up("ha", CONTROL_PLANES.len(), HOSTS) else {
        return;
    };
    let mut cases = Cases::of("high availability", &lab);
    cases.foundation("three control planes, joined one at a time", found);
    cases.case("a second apply changes nothing", second_apply);
    cases.case("pods reach each other by name", pods_talk);
    cases.case("a lost control plane is replaced", |lab| {
        replace(lab, "cp3", &inventory(lab));
    });
    rehearse(
        &mut cases,
        "the first control plane is lost, and replaced",
        first_lost,
    );
    cases.end();
}

/// The endpoint is an address of its own, as a site would have it for several control planes.
fn inventory(lab: &Lab) -> String {
    let endpoint = shared_address(lab);
    lab.inventory(HOSTS).replacen(
        "\n  name: lab\n",
        &format!("\n  name: lab\n  endpoint: \"{endpoint}:6443\"\n"),
        1,
    )
}

fn shared_address(lab: &Lab) -> String {
    let inventory = lab.inventory(HOSTS);
    let address = inventory.split("name: cp1, address: ").nth(1).unwrap();
    let network = address.split(',').next().unwrap().rsplit_once('.').unwrap().0;
    format!("{network}.200")
}

/// Lets a control plane answer at the shared address, which keepalived or a load balancer would do.
fn answers_at_the_shared_address(lab: &Lab, host: &str) {
    let address = shared_address(lab);
    lab.ssh(host, &format!("ip address add {address}/32 dev eth0"));
}

fn found(lab: &Lab) {
    answers_at_the_shared_address(lab, "cp1");
    let ear = Eavesdropper::on(lab.name());
    let began = Instant::now();
    let apply = lab.apply(&inventory(lab), &["-vv"]);
    first_apply_took(began.elapsed());
    let heard = ear.heard();
    let apply = apply.ended(0);
    assert_eq!(lab.unready(), [""; 0]);
    assert_eq!(voters(lab), CONTROL_PLANES.map(str::to_owned).into());
    assert_eq!(overlapping(&turns(&apply)), None);
    assert_eq!(
        heard.iter().find_map(|line| secret_in(line)),
        None,
        "in a command line"
    );
    assert_eq!(secret_in(&apply.stdout), None, "in the events");
}

fn second_apply(lab: &Lab) {
    let apply = lab.apply(&inventory(lab), &[]).ended(0);
    assert_eq!((apply.steps(), apply.changes()), (BTreeSet::new(), 0));
    assert_eq!(lab.plan(&inventory(lab), &[]).ended(0).changes(), 0);
}

fn pods_talk(lab: &Lab) {
    lab.lab(&["smoke", "1"]);
}

/// A new machine under the name and address of a control plane that is gone with its disk.
fn replace(lab: &Lab, host: &str, inventory: &str) {
    let lost = members(lab)
        .lines()
        .find(|line| line.contains(host))
        .map(str::to_owned)
        .unwrap();
    lab.host("down", host);
    if host == "cp1" {
        answers_at_the_shared_address(lab, "cp2");
    }
    lab.host("up", host);
    lab.host("wait", host);
    let mut steps = BTreeSet::new();
    timed(&format!("{host}, one of three control planes"), || {
        steps = lab.apply(inventory, &[]).ended(0).steps();
    });
    let elsewhere: Vec<_> = steps
        .into_iter()
        .filter(|step| !step.starts_with(&format!("{host}: ")))
        .collect();
    assert_eq!(elsewhere, [""; 0], "only the new machine is changed");
    assert_eq!(lab.unready(), [""; 0]);
    assert_eq!(voters(lab), CONTROL_PLANES.map(str::to_owned).into());
    assert!(
        !members(lab).contains(&lost),
        "the lost member is still there: {lost}"
    );
    assert_eq!(lab.apply(inventory, &[]).ended(0).changes(), 0);
}

/// It initialized the cluster, which goes on without it, and has its address by which all reach it taken over by another.
fn first_lost(lab: &Lab) {
    let inventory = home::inventory(&inventory(lab), Some(volume::CLASS));
    volume::make(lab);
    lab.apply(&inventory, &[]).ended(0);
    let w1 = address(&inventory, "w1");
    home::build(&Jenkins::at(lab, "cp1", &w1));
    fill(lab);
    let kept = objects(lab, "cp1");
    replace(lab, "cp1", &inventory);
    assert_back(lab, "cp1", &kept, HOSTS);
    home::assert_back(&Jenkins::at(lab, "cp1", &w1));
    assert_works(lab, &inventory);
    lab.lab(&["smoke", "1"]);
}

/// Start and end of each control plane's own step.
fn turns(apply: &Ran) -> Vec<(String, String)> {
    let time = |kind: &str, place: &str| {
        let event = apply.events.iter().find(|event| {
            event["event"] == kind && event["place"] == place && event["step"] == "control plane"
        });
        event.unwrap()["time"].as_str().unwrap().to_owned()
    };
    let turn = |place| (time("stepStarted", place), time("stepDone", place));
    CONTROL_PLANES.map(turn).into()
}

/// Two turns of which the second began before the first had ended.
fn overlapping(turns: &[(String, String)]) -> Option<(String, String)> {
    let mut turns = turns.to_vec();
    turns.sort();
    let pair = turns.windows(2).find(|pair| pair[1].0 < pair[0].1);
    pair.map(|pair| (pair[0].1.clone(), pair[1].0.clone()))
}

/// etcd's members, as a line each: id, status, name, addresses, whether it is a learner.
fn members(lab: &Lab) -> String {
    let files = "--cacert /etc/kubernetes/pki/etcd/ca.crt --cert /etc/kubernetes/pki/etcd/server.crt --key /etc/kubernetes/pki/etcd/server.key";
    lab.kubectl(&format!(
        "-n kube-system exec etcd-cp1 -- etcdctl --endpoints https://127.0.0.1:2379 {files} member list"
    ))
}

/// Names of the members that run and vote.
fn voters(lab: &Lab) -> BTreeSet<String> {
    let members = members(lab);
    let fields = members.lines().map(|line| line.split(", ").collect::<Vec<_>>());
    let voting = fields.filter(|fields| fields[1] == "started" && fields.last() == Some(&"false"));
    voting.map(|fields| fields[2].to_owned()).collect()
}
