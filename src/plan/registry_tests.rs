//! What the built-in playbooks make of registries: which host and which pod is told what.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::Duration;

use super::{Catalog, Milestone, Place, Plan, StepHead, Track, build};
use crate::diagnostic::Source;
use crate::playbook;
use crate::resource::{ActionInput, HostState};
use crate::secret::Secrets;
use crate::template::Templates;

/// `printf 'robot$ci:hunter2' | base64`
const BASIC: &str = "Basic cm9ib3QkY2k6aHVudGVyMg==";

async fn plan(registries: &str) -> Plan {
    let text = format!(
        "apiVersion: ci-bootstrap/v1\ncluster: {{ name: ci, kubernetes: 1.36.4 }}\nssh: {{ user: root }}\n\
         hosts:\n  - {{ name: cp1, address: 10.0.0.11, roles: [control-plane] }}\njenkins: {{}}\nregistries:\n{registries}"
    );
    let source = Source {
        name: "inventory.yaml".into(),
        text,
    };
    let document = crate::inventory::parse(source, std::path::Path::new("."));
    let cluster = crate::model::validate(&document).unwrap().cluster;
    let secrets = Secrets::new(Duration::from_secs(10));
    let known = secrets.all(cluster.secrets()).await.unwrap();
    let catalog = Catalog {
        playbooks: playbook::load(None).unwrap(),
        templates: Templates::load(None).unwrap().knowing(known),
        restore: None,
    };
    build(&cluster, &catalog).unwrap()
}

/// The script that makes a step on the first host.
fn script(plan: &Plan, name: &str) -> String {
    let step = plan.tracks[0].host_steps().find(|step| step.head.name == name);
    let resource = &step.unwrap().resource;
    resource
        .action(&HostState::default(), &ActionInput::default())
        .script
}

const HARBOR: &str = "  - { name: harbor.example, credentials: { username: robot$ci, password: { command: [echo, hunter2] } } }\n\
    \x20 - { name: docker.io, mirrors: [\"https://harbor.example/v2/hub\", \"https://other.example\"] }\n";

#[tokio::test]
async fn a_login_goes_to_its_registry_and_nowhere_else() {
    let plan = plan(HARBOR).await;
    let own = script(&plan, "registry harbor.example");
    assert!(
        own.contains(&format!(
            "[host.\"https://harbor.example\".header]\n  Authorization = \"{BASIC}\""
        )),
        "{own}"
    );
    assert!(own.contains("chmod 0600"), "{own}");
    let mirrored = script(&plan, "registry docker.io");
    let with_login: Vec<_> = mirrored
        .lines()
        .filter(|line| line.ends_with(".header]"))
        .collect();
    assert_eq!(
        with_login,
        ["[host.\"https://harbor.example/v2/hub\".header]"],
        "{mirrored}"
    );
}

#[tokio::test]
async fn pods_get_the_logins_in_each_namespace() {
    let plan = plan(HARBOR).await;
    let cluster = plan.tracks.last().unwrap();
    let step = cluster
        .cluster_steps()
        .find(|step| step.head.name == "logins of the registries");
    let objects = format!("{:?}", step.unwrap().resource);
    for expected in [
        "kubernetes.io/dockerconfigjson",
        "\"kube-ops\"",
        "\"kube-ops-agents\"",
        "harbor.example",
        "robot$ci",
    ] {
        assert!(objects.contains(expected), "no {expected} in {objects}");
    }
}

#[tokio::test]
async fn without_a_login_files_are_for_everybody() {
    let plan = plan("  - { name: plain.example, insecure: true }\n").await;
    let text = script(&plan, "registry plain.example");
    assert!(
        text.contains("skip_verify = true") && text.contains("chmod 0644"),
        "{text}"
    );
    let docker = script(&plan, "Docker's mirrors and unchecked registries");
    assert!(docker.contains("\"plain.example\""), "{docker}");
}

/// The places whose steps wait for accounts in registries, and the steps that make them.
fn waiting(plan: &Plan) -> (Vec<String>, Vec<&str>) {
    let of = |track: &Track| {
        let waits = |head: &StepHead| head.needs.contains(&Milestone::Accounts);
        let steps = track.heads().filter(|head| waits(head));
        let place = track.place.to_string();
        steps
            .map(|head| format!("{place}: {}", head.name))
            .collect::<Vec<_>>()
    };
    let waiting = plan.tracks.iter().flat_map(of).collect();
    let makers = plan
        .tracks
        .iter()
        .filter(|track| track.place == Place::Registries);
    let makers = makers.flat_map(Track::heads).filter(|head| {
        assert_eq!(head.needs, [], "{} can't be first", head.name);
        head.provides.contains(&Milestone::Accounts)
    });
    (waiting, makers.map(|head| head.name.as_str()).collect())
}

#[tokio::test]
async fn logins_are_spread_after_their_accounts_are_made() {
    let entry = |name: &str| {
        format!(
            "  - name: {name}\n    credentials: {{ username: robot$ci+a, password: {{ command: [echo, hunter2] }} }}\n    \
             harbor: {{ project: ci, admin: {{ username: admin, password: {{ command: [echo, hunter3] }} }} }}\n"
        )
    };
    let plan_of_two = plan(&(entry("a.example") + &entry("b.example"))).await;
    let (waiting_steps, makers) = waiting(&plan_of_two);
    assert_eq!(
        waiting_steps,
        [
            "cp1: registry a.example",
            "cp1: registry b.example",
            "cluster: logins of the registries"
        ]
    );
    // The milestone holds when the last of them is made.
    assert_eq!(makers, ["robot account in b.example"]);
    let without = plan(HARBOR).await;
    assert_eq!(waiting(&without), (Vec::new(), Vec::new()));
}
