//! What the templates make of an inventory that uses everything of Jenkins: readable, without secrets where none belong, and valid by
//! the schemas of the oldest and the newest supported Kubernetes.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ci_bootstrap::diagnostic::{Colour, Source, render};
use ci_bootstrap::model::Cluster;
use ci_bootstrap::secret::Secrets;
use ci_bootstrap::template::{BUILT_IN, Templates, Values};
use ci_bootstrap::{inventory, model, yaml};
use serde_json::Value;

mod access;
mod agents;
mod builds;
mod controller;
mod network;

#[path = "../support/skip.rs"]
mod skip;

/// Everything that changes a manifest, and a secret whose text is `hunter2-…`.
const INVENTORY: &str = include_str!("inventory.yaml");
const SECRET: &str = "hunter2";
const CONFIGURATION: &str = "ConfigMap kube-ops/jenkins-configuration";
/// Of `make schemas`.
const VALIDATOR: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/target/schemas/bin/kubernetes-validate"
);

fn cluster(text: &str) -> Cluster {
    let source = Source {
        name: "inventory.yaml".to_owned(),
        text: text.to_owned(),
    };
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    let document = inventory::parse(source, &directory);
    let valid = model::validate(&document);
    valid
        .map_err(|problems| render(&problems, &document.source, Colour::Never))
        .unwrap()
        .cluster
}

fn templates(cluster: &Cluster) -> Templates {
    let secrets = Secrets::new(Duration::from_secs(10));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let known = runtime.block_on(secrets.all(cluster.secrets())).unwrap();
    Templates::load(None).unwrap().knowing(known)
}

/// All objects of Jenkins' manifests, and of what it needs of registries.
fn objects(inventory: &str) -> Vec<Value> {
    let cluster = cluster(inventory);
    let templates = templates(&cluster);
    let values = Values::default().with("cluster", &cluster);
    let manifests = BUILT_IN
        .iter()
        .filter(|(name, _)| name.starts_with("jenkins-") && name.ends_with(".yaml.j2"));
    let mut texts: Vec<_> = manifests
        .map(|(name, _)| templates.render(name, &values).unwrap())
        .collect();
    for name in [
        "registry-ca.yaml.j2",
        "registry-credentials.yaml.j2",
        "build-settings.yaml.j2",
    ] {
        texts.push(templates.render(name, &values).unwrap());
    }
    for image in &cluster.jenkins.as_ref().unwrap().images {
        texts.push(
            templates
                .render("image-build.yaml.j2", &values.with("item", image))
                .unwrap(),
        );
    }
    texts
        .iter()
        .flat_map(|text| yaml::manifests(text).unwrap())
        .collect()
}

/// What Jenkins is configured by.
fn configuration(objects: &[Value]) -> Value {
    let configuration = objects.iter().find(|object| id(object) == CONFIGURATION).unwrap();
    let text = configuration["data"]["jenkins.yaml"].as_str().unwrap();
    yaml::manifests(text).unwrap().remove(0)
}

/// The clouds of that, in their order.
fn clouds(configuration: &Value) -> Vec<&Value> {
    let clouds = configuration["jenkins"]["clouds"].as_array().unwrap();
    clouds.iter().map(|cloud| &cloud["kubernetes"]).collect()
}

/// The pods of all agents, by name, as Jenkins gets to know them.
fn pods(objects: &[Value]) -> Vec<(String, Value)> {
    let configuration = configuration(objects);
    let clouds = clouds(&configuration);
    let templates = clouds
        .iter()
        .flat_map(|cloud| cloud["templates"].as_array().unwrap());
    templates
        .filter(|template| template["yaml"].is_string())
        .map(|template| {
            let pod = yaml::manifests(template["yaml"].as_str().unwrap())
                .unwrap()
                .remove(0);
            (template["name"].as_str().unwrap().to_owned(), pod)
        })
        .collect()
}

fn id(object: &Value) -> String {
    let of = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    format!(
        "{} {}/{}",
        object["kind"].as_str().unwrap_or_default(),
        of("namespace"),
        of("name")
    )
}

#[test]
fn secrets_stand_in_secrets_only() {
    let objects = objects(INVENTORY);
    for object in &objects {
        let secret = object.to_string().contains(SECRET);
        assert_eq!(secret, object["kind"] == "Secret", "{}", id(object));
    }
    let configuration = objects.iter().find(|object| id(object) == CONFIGURATION).unwrap();
    let text = configuration["data"]["jenkins.yaml"].as_str().unwrap();
    for file in [
        "administrator/password",
        "gitlab.password",
        "deploy.privateKey",
        "deploy.passphrase",
        "npm.token",
    ] {
        assert!(
            text.contains(&format!("${{readFile:/var/jenkins_secrets/{file}}}")),
            "no {file} in {text}"
        );
    }
}

#[test]
fn what_an_inventory_says_is_no_variable_of_jenkins() {
    let objects = objects(INVENTORY);
    let text = objects.iter().find(|object| id(object) == CONFIGURATION).unwrap()["data"]["jenkins.yaml"]
        .to_string();
    assert!(text.contains("a ^${token} of npm"), "{text}");
    assert!(text.contains("hello from the inventory"), "{text}");
}

#[test]
fn no_object_is_made_twice() {
    let mut ids: Vec<_> = objects(INVENTORY).iter().map(id).collect();
    ids.sort();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all, "{ids:?}");
    assert!(all > 15, "{ids:?}");
}

/// The stand-in for Calico is ready only when it has read all of these, also where the lab's own manifest takes the place of the release's.
#[test]
fn the_labs_manifest_has_what_its_standin_watches() {
    let watched = include_str!("../lab/src/calico-standin/watched.go");
    let objects = yaml::manifests(include_str!("../lab/src/calico-standin/manifest.yaml")).unwrap();
    let before = "Group: \"crd.projectcalico.org\", Version: \"v1\", Resource: \"";
    let kinds: Vec<_> = watched
        .split(before)
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert!(!kinds.is_empty(), "{watched}");
    for kind in kinds {
        let name = format!("{kind}.crd.projectcalico.org");
        assert!(
            objects.iter().any(|object| object["metadata"]["name"] == name),
            "no {name}"
        );
    }
}

#[test]
fn manifests_are_valid_for_the_oldest_and_the_newest_kubernetes() {
    if !Path::new(VALIDATOR).exists() {
        skip::skipped(
            "manifests_are_valid_for_the_oldest_and_the_newest_kubernetes",
            "run `make schemas` once",
        );
        return;
    }
    let mut objects = objects(INVENTORY);
    for (name, mut pod) in pods(&objects) {
        pod["metadata"] = serde_json::json!({ "name": name });
        objects.push(pod);
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("manifests.yaml");
    let documents: Vec<_> = objects.iter().map(|object| yaml::emit(object).unwrap()).collect();
    fs_err::write(&file, documents.join("---\n")).unwrap();
    for release in ["1.34", "1.36"] {
        let checked = Command::new(VALIDATOR)
            .args(["--strict", "-k", release])
            .arg(&file)
            .output()
            .unwrap();
        let said =
            String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{release}: {said}");
        assert_eq!(said.matches("passed").count(), objects.len(), "{release}: {said}");
    }
}
