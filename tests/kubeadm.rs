//! What kubeadm itself says of the configuration that the templates make. It is the lab's, and the test is skipped by name without it.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ci_bootstrap::diagnostic::Source;
use ci_bootstrap::model::{self, Cluster};
use ci_bootstrap::template::{Templates, Values};
use ci_bootstrap::{inventory, yaml};
use serde_json::{Value, json};

#[path = "support/skip.rs"]
mod skip;

const EXAMPLE: &str = include_str!("../inventory.example.yaml");
const EXTRA: &str = "extraConfig: { serializeImagePulls: false, maxParallelImagePulls: 4 }";

fn cluster(text: &str) -> Cluster {
    let source = Source {
        name: "inventory.yaml".to_owned(),
        text: text.to_owned(),
    };
    let document = inventory::parse(source, Path::new(env!("CARGO_MANIFEST_DIR")));
    model::validate(&document).unwrap().cluster
}

/// The configuration of the first control plane.
fn rendered(inventory: &str) -> String {
    let cluster = cluster(inventory);
    let values = Values::default()
        .with("cluster", &cluster)
        .with("host", &cluster.hosts[0])
        .with("controlPlaneTaints", &json!([]));
    let templates = Templates::load(None).unwrap();
    templates.render("kubeadm-init.yaml.j2", &values).unwrap()
}

fn document(rendered: &str, kind: &str) -> Value {
    let documents = yaml::manifests(rendered).unwrap();
    let found = documents.into_iter().find(|document| document["kind"] == kind);
    found.unwrap()
}

/// The example with other fields of the kubelet's configuration.
fn with_extra(extra: &str) -> String {
    let text = EXAMPLE.replace(EXTRA, &format!("extraConfig: {extra}"));
    assert_ne!(text, EXAMPLE);
    text
}

fn unhardened() -> String {
    let text = EXAMPLE.replacen("cluster:\n", "cluster:\n  hardening: none\n", 1);
    assert_ne!(text, EXAMPLE);
    text
}

#[test]
fn the_example_is_what_kubeadm_takes() {
    let root = std::env::var("LAB_ROOT").unwrap_or_else(|_| "/var/tmp/ci-bootstrap-lab".to_owned());
    let program = PathBuf::from(root).join("bin/kube");
    if !program.exists() {
        let why = format!("{} is not there", program.display());
        skip::skipped("the_example_is_what_kubeadm_takes", &why);
        return;
    }
    let serial = with_extra(
        "{ serializeImagePulls: true, imageMinimumGCAge: 5m, evictionHard: { memory.available: 1% } }",
    );
    for inventory in [EXAMPLE.to_owned(), serial, unhardened()] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kubeadm.yaml");
        fs_err::write(&file, rendered(&inventory)).unwrap();
        let mut kubeadm = Command::new(&program);
        let kubeadm = kubeadm
            .arg0("kubeadm")
            .args(["config", "validate", "--config"])
            .arg(&file);
        let output = kubeadm.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n{}", rendered(&inventory));
    }
}

#[test]
fn a_field_of_the_users_stands_once_and_changes_no_other() {
    let text = rendered(EXAMPLE);
    assert_eq!(text.matches("serializeImagePulls").count(), 1, "{text}");
    let kubelet = document(&text, "KubeletConfiguration");
    assert_eq!(
        (&kubelet["serializeImagePulls"], &kubelet["maxParallelImagePulls"]),
        (&json!(false), &json!(4))
    );
    let odd = rendered(&with_extra(
        r#"{ "x: 1\nmaxPods": 7, evictionHard: { "a\"b": "<1%>" } }"#,
    ));
    let kubelet = document(&odd, "KubeletConfiguration");
    assert_eq!(kubelet["maxPods"], json!(110));
    assert_eq!(
        (&kubelet["x: 1\nmaxPods"], &kubelet["evictionHard"]),
        (&json!(7), &json!({"a\"b": "<1%>"}))
    );
}

/// Builds must leave room for what runs them, and old images of theirs go.
#[test]
fn the_system_keeps_its_part_of_a_node() {
    let part = json!({"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "1Gi"});
    let kubelet = document(&rendered(EXAMPLE), "KubeletConfiguration");
    assert_eq!(
        (&kubelet["kubeReserved"], &kubelet["systemReserved"]),
        (&part, &part)
    );
    assert_eq!(kubelet["imageMaximumGCAge"], "336h");
    let more = with_extra("{ systemReserved: { memory: 2Gi }, imageMaximumGCAge: 24h }");
    let kubelet = document(&rendered(&more), "KubeletConfiguration");
    assert_eq!(
        (
            &kubelet["systemReserved"]["memory"],
            &kubelet["systemReserved"]["cpu"]
        ),
        (&json!("2Gi"), &json!("100m"))
    );
    assert_eq!(kubelet["imageMaximumGCAge"], "24h");
}

#[test]
fn one_pull_at_a_time_asks_for_no_number_of_them() {
    let kubelet = document(
        &rendered(&with_extra("{ serializeImagePulls: true }")),
        "KubeletConfiguration",
    );
    assert_eq!(kubelet["serializeImagePulls"], json!(true));
    assert_eq!(kubelet.get("maxParallelImagePulls"), None);
}

#[test]
fn certificates_are_valid_as_long_as_the_inventory_says() {
    let text = EXAMPLE.replace("extraCertSANs:", "certificateValidity: 100h\n    extraCertSANs:");
    let cluster = document(&rendered(&text), "ClusterConfiguration");
    assert_eq!(cluster["certificateValidityPeriod"], json!("100h0m0s"));
}

#[test]
fn hardening_is_on_unless_it_is_turned_off() {
    let arguments = |rendered: &str, component: &str| {
        let cluster = document(rendered, "ClusterConfiguration");
        let arguments = cluster[component]["extraArgs"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let names = arguments
            .iter()
            .map(|argument| argument["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let (on, off) = (rendered(EXAMPLE), rendered(&unhardened()));
    for component in ["apiServer", "controllerManager", "scheduler"] {
        assert!(
            arguments(&on, component).contains(&"profiling".to_owned()),
            "{component}"
        );
        assert!(
            !arguments(&off, component).contains(&"profiling".to_owned()),
            "{component}"
        );
    }
    let (hardened, plain) = (
        document(&on, "KubeletConfiguration"),
        document(&off, "KubeletConfiguration"),
    );
    assert_eq!(
        (&hardened["seccompDefault"], &hardened["podPidsLimit"]),
        (&json!(true), &json!(4096))
    );
    assert_eq!(
        (plain.get("seccompDefault"), plain.get("podPidsLimit")),
        (None, None)
    );
    let own = rendered(&with_extra("{ podPidsLimit: 10000 }"));
    assert_eq!(
        document(&own, "KubeletConfiguration")["podPidsLimit"],
        json!(10000)
    );
}

/// No level that writes down what a request or an answer holds: Secrets, tokens and what pods are told.
#[test]
fn the_audit_log_holds_no_bodies() {
    let policy = yaml::manifests(include_str!("../templates/audit-policy.yaml.j2")).unwrap();
    let rules = policy[0]["rules"].as_array().unwrap();
    let levels: Vec<_> = rules.iter().map(|rule| rule["level"].as_str().unwrap()).collect();
    assert!(
        levels.iter().all(|level| ["None", "Metadata"].contains(level)),
        "{levels:?}"
    );
    assert_eq!(
        rules.last(),
        Some(&json!({"level": "Metadata"})),
        "everything else is told"
    );
}
