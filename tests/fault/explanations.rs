//! Mistakes of an inventory that show on the hosts: each failure says where, at which step, what was printed, and what helps.

use serde_json::Value;

use crate::support::lab::{Lab, Ran};

/// A mistake that shows at a step of the control plane's host, and what its failure has to say.
pub(crate) struct Mistake {
    pub(crate) name: &'static str,
    run: fn(&Lab) -> Ran,
    /// How the step's name begins.
    step: &'static str,
    /// How the name of the playbook ends; a line number has to follow.
    playbook: &'static str,
    /// Words of message, output and help.
    words: &'static [&'static str],
}

/// On the way of one host: each gets a little further than the one before.
pub(crate) const MISTAKES: [Mistake; 5] = [
    Mistake {
        name: "a wrong repository key",
        run: |lab| lab.apply(&edited(lab, "/lab.asc", "/wrong.asc"), &[]),
        step: "container runtime and Kubernetes",
        playbook: "20-packages.yaml:",
        words: &["NO_PUBKEY", "signed with another key"],
    },
    Mistake {
        name: "a version that doesn't exist",
        run: |lab| {
            let (right, wrong) = ("containerd: { version: 2.3.7", "containerd: { version: 2.3.99");
            lab.apply(&edited(lab, right, wrong), &[])
        },
        step: "container runtime and Kubernetes",
        playbook: "20-packages.yaml:",
        words: &["containerd.io", "2.3.99", "was not found", "help"],
    },
    Mistake {
        name: "a registry with an unknown CA",
        run: |lab| {
            let ca = line_with(lab, "ca: { file:");
            lab.apply(&edited(lab, &format!("registries:\n{ca}\n"), ""), &[])
        },
        step: "",
        playbook: ".yaml:",
        words: &["x509", "registries[].ca"],
    },
    Mistake {
        name: "a broken template",
        run: with_a_broken_template,
        step: "contain",
        playbook: "30-containerd.yaml:",
        words: &["toml"],
    },
    Mistake {
        name: "images that don't exist",
        run: |lab| {
            let repository = line_with(lab, "imageRepository:");
            lab.apply(&edited(lab, &repository, &format!("{repository}/nowhere")), &[])
        },
        step: "",
        playbook: ".yaml:",
        words: &["/nowhere/", "not found"],
    },
];

impl Mistake {
    /// Makes it, and fails unless it is explained.
    pub(crate) fn is_explained(&self, lab: &Lab) {
        let ran = (self.run)(lab).ended(4);
        let reported = the_failure_of(&ran, "stepFailed");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        assert_eq!(reported["place"], "cp1", "{reported}");
        assert!(text(&reported["step"]).starts_with(self.step), "{reported}");
        let origin = text(&reported["failure"]["origin"]);
        let line = origin.split_once(self.playbook).map(|(_, line)| line);
        assert!(
            line.is_some_and(|line| line.starts_with(|c: char| c.is_ascii_digit())),
            "no line: {reported}"
        );
        let failure = reported["failure"].to_string();
        for word in self.words {
            assert!(failure.contains(word), "no {word:?} in {reported:#}");
        }
    }
}

/// A configuration of containerd that the site's own template spoilt.
fn with_a_broken_template(lab: &Lab) -> Ran {
    let site = lab.path("site");
    fs_err::create_dir_all(&site).unwrap();
    fs_err::write(site.join("containerd.toml.j2"), "version = 3\n[plugins\n").unwrap();
    let site = site.display().to_string();
    lab.apply(&lab.inventory(1), &["--templates", &site])
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
    let reported: String = failed.map(ToString::to_string).collect::<String>() + &ran.stderr;
    for word in words {
        assert!(reported.contains(word), "no {word:?} in {reported}");
    }
}

/// An inventory of the control plane alone, with a mistake.
#[track_caller]
fn edited(lab: &Lab, right: &str, wrong: &str) -> String {
    let inventory = lab.inventory(1);
    assert!(inventory.contains(right), "no {right} in {inventory}");
    inventory.replace(right, wrong)
}

/// The first line of the control plane's inventory that holds these words.
fn line_with(lab: &Lab, words: &str) -> String {
    let inventory = lab.inventory(1);
    let line = inventory.lines().find(|line| line.contains(words));
    line.unwrap_or_else(|| panic!("no {words} in {inventory}"))
        .to_owned()
}
