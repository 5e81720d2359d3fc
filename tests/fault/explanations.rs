//! Mistakes of an inventory that show on the hosts: each failure says where, at which step, what was printed, and what helps.

use serde_json::Value;

use crate::support::lab::{Lab, Ran};

/// What a failure has to say.
struct Explained {
    place: &'static str,
    step: &'static str,
    /// The file of the playbook; a line number has to follow.
    playbook: &'static str,
    /// Words of message, output and help.
    words: &'static [&'static str],
}

/// Repositories signed with a key that is not the inventory's.
pub(crate) fn of_a_wrong_key(lab: &Lab) {
    let inventory = edited(lab, "/lab.asc", "/wrong.asc");
    explains(
        &lab.apply(&inventory, &[]).ended(4),
        &Explained {
            place: "cp1",
            step: "container runtime and Kubernetes",
            playbook: "20-packages.yaml:",
            words: &["NO_PUBKEY", "signed with another key"],
        },
    );
}

/// A release that the repository does not have.
pub(crate) fn of_a_missing_version(lab: &Lab) {
    let inventory = edited(
        lab,
        "containerd: { version: 2.3.7",
        "containerd: { version: 2.3.99",
    );
    explains(
        &lab.apply(&inventory, &[]).ended(4),
        &Explained {
            place: "cp1",
            step: "container runtime and Kubernetes",
            playbook: "20-packages.yaml:",
            words: &["containerd.io", "2.3.99", "was not found", "help"],
        },
    );
}

/// A configuration of containerd that the site's own template spoilt.
pub(crate) fn of_a_broken_template(lab: &Lab) {
    let site = lab.path("site");
    fs_err::create_dir_all(&site).unwrap();
    fs_err::write(site.join("containerd.toml.j2"), "version = 3\n[plugins\n").unwrap();
    let site = site.display().to_string();
    let apply = lab.apply(&lab.inventory(1), &["--templates", &site]).ended(4);
    explains(
        &apply,
        &Explained {
            place: "cp1",
            step: "contain",
            playbook: "30-containerd.yaml:",
            words: &["toml"],
        },
    );
}

/// A registry whose CA the inventory doesn't name.
pub(crate) fn of_a_missing_ca(lab: &Lab) {
    let inventory = lab.inventory(1);
    let ca = inventory
        .lines()
        .find(|line| line.contains("ca: { file:"))
        .unwrap();
    let inventory = inventory.replace(&format!("registries:\n{ca}\n"), "");
    explains(
        &lab.apply(&inventory, &[]).ended(4),
        &Explained {
            place: "cp1",
            step: "",
            playbook: ".yaml:",
            words: &["x509", "registries[].ca"],
        },
    );
}

/// A place in the registry where no images are.
pub(crate) fn of_missing_images(lab: &Lab) {
    let inventory = lab.inventory(1);
    let line = inventory
        .lines()
        .find(|line| line.contains("imageRepository:"))
        .unwrap();
    let inventory = inventory.replacen(line, &format!("{line}/nowhere"), 1);
    explains(
        &lab.apply(&inventory, &[]).ended(4),
        &Explained {
            place: "cp1",
            step: "",
            playbook: ".yaml:",
            words: &["/nowhere/", "not found"],
        },
    );
}

/// A manifest that is not what the inventory says it is.
pub(crate) fn of_a_wrong_checksum(lab: &Lab) {
    let inventory = with_another_checksum(&lab.inventory(1));
    refused(&lab.apply(&inventory, &[]), &["SHA-256", "calico-vxlan.yaml"]);
}

/// A manifest that the server does not have; with its checksum the program would find it in its cache.
pub(crate) fn of_an_absent_manifest(lab: &Lab) {
    let inventory = edited(lab, "/manifests/calico-vxlan.yaml", "/manifests/absent.yaml");
    refused(
        &lab.apply(&with_another_checksum(&inventory), &[]),
        &["absent.yaml", "404"],
    );
}

fn with_another_checksum(inventory: &str) -> String {
    let (before, rest) = inventory.split_once("sha256: ").unwrap();
    format!("{before}sha256: {}{}", "0".repeat(64), &rest[64..])
}

/// The event that tells of the failure of a class.
#[track_caller]
pub(crate) fn the_failure_of<'a>(ran: &'a Ran, class: &str) -> &'a Value {
    ran.events
        .iter()
        .find(|event| event["event"] == "placeFailed" && event["failure"]["class"] == class)
        .unwrap_or_else(|| panic!("nothing failed as {class}:\n{}\n{}", ran.stdout, ran.stderr))
}

#[track_caller]
fn explains(ran: &Ran, wanted: &Explained) {
    let told = the_failure_of(ran, "stepFailed");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    assert_eq!(told["place"], wanted.place, "{told}");
    assert!(text(&told["step"]).contains(wanted.step), "{told}");
    let origin = text(&told["failure"]["origin"]);
    let line = origin.split_once(wanted.playbook).map(|(_, line)| line);
    assert!(
        line.is_some_and(|line| line.starts_with(|c: char| c.is_ascii_digit())),
        "no line: {told}"
    );
    let failure = told["failure"].to_string();
    for word in wanted.words {
        assert!(failure.contains(word), "no {word:?} in {told:#}");
    }
}

/// What is known before or when the cluster is reached: where it is told depends on when it is.
#[track_caller]
fn refused(ran: &Ran, words: &[&str]) {
    assert!(
        [2, 4].contains(&ran.code),
        "{}:\n{}{}",
        ran.code,
        ran.stdout,
        ran.stderr
    );
    let failed = ran.events.iter().filter(|event| event["event"] == "placeFailed");
    let told: String = failed.map(ToString::to_string).collect::<String>() + &ran.stderr;
    for word in words {
        assert!(told.contains(word), "no {word:?} in {told}");
    }
}

/// An inventory of the control plane alone, with a mistake.
#[track_caller]
fn edited(lab: &Lab, right: &str, wrong: &str) -> String {
    let inventory = lab.inventory(1);
    assert!(inventory.contains(right), "no {right} in {inventory}");
    inventory.replace(right, wrong)
}
