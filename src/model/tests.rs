//! A whole inventory through all stages.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;

use super::{Cluster, validate};
use crate::diagnostic::{Colour, Source, render};
use crate::inventory;
use crate::secret::SecretRef;

const SMALL: &str = "
apiVersion: ci-bootstrap/v1
cluster: { name: ci, kubernetes: 1.36.4 }
ssh: { user: admin }
hosts:
  - { name: cp1, address: 10.0.0.11, roles: [control-plane] }
  - { name: w1, address: 10.0.0.12, roles: [worker], labels: { pool: builds }, taints: ['dedicated=ci:NoSchedule'] }
";

fn cluster(text: &str) -> Result<Cluster, String> {
    let source = Source {
        name: "inventory.yaml".to_owned(),
        text: text.to_owned(),
    };
    let document = inventory::parse(source, Path::new("/nowhere"));
    validate(&document)
        .map(|valid| valid.cluster)
        .map_err(|problems| render(&problems, &document.source, Colour::Never))
}

/// An inventory that takes everything from one server of its own, as the lab does.
const OFFLINE: &str = include_str!("offline.yaml");

/// Reports and `--limit` have these names for places that aren't hosts.
#[test]
fn no_host_has_the_name_of_another_place() {
    for name in ["cluster", "registries"] {
        let reported = cluster(&SMALL.replace("name: w1", &format!("name: {name}"))).unwrap_err();
        assert!(
            reported.contains(&format!("a host can't be named `{name}`")),
            "{reported}"
        );
    }
}

#[test]
fn a_folder_for_an_image_fits_into_the_cluster() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("image");
    fs_err::create_dir(&folder).unwrap();
    fs_err::write(folder.join("Dockerfile"), "FROM a.example/b:1\n").unwrap();
    let path = directory.path().join("inventory.yaml");
    let images = "jenkins: { images: [{ name: \"a.example/ci/b:1\", folder: image }] }\n";
    fs_err::write(&path, format!("{SMALL}{images}")).unwrap();
    let validated = || {
        let document = inventory::read(&path).unwrap();
        let valid = validate(&document).map(|valid| valid.cluster.jenkins.unwrap().images);
        valid.map_err(|problems| render(&problems, &document.source, Colour::Never))
    };
    let first = validated().unwrap();
    assert_eq!(validated().unwrap(), first);
    // Numbers that don't repeat can hardly be packed.
    let mut state: u64 = 1;
    let noise = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    });
    fs_err::write(folder.join("noise"), noise.take(2 << 20).collect::<Vec<_>>()).unwrap();
    let reported = validated().unwrap_err();
    assert!(
        reported.contains("too large for a ConfigMap") && reported.contains("at most 1020 KiB"),
        "{reported}"
    );
    fs_err::write(folder.join("noise"), vec![0; 9 << 20]).unwrap();
    assert!(validated().unwrap_err().contains("more than 1000 files or 8 MiB"));
}

#[test]
fn everything_can_come_from_a_server_of_ones_own() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs_err::write(directory.path().join(name), text).unwrap();
    write("id_ed25519", "key");
    write("lab.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n");
    write(
        "ca.crt",
        "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n",
    );
    let path = directory.path().join("inventory.yaml");
    fs_err::write(&path, OFFLINE).unwrap();
    let document = inventory::read(&path).unwrap();
    let valid = validate(&document)
        .map_err(|problems| render(&problems, &document.source, Colour::Never))
        .unwrap();
    assert_eq!(valid.warnings, []);
    let cluster = valid.cluster;
    assert_eq!(cluster.containerd.config_version, 4);
    assert_eq!(
        cluster.hosts[0].ssh.identities,
        [directory.path().join("id_ed25519")]
    );
    let seen = serde_json::to_value(&cluster).unwrap();
    assert_eq!(seen["images"]["coredns"], "10.77.0.1:5000/coredns:v1.14.2");
    assert_eq!(seen["kubelet"]["failCgroupV1"], false);
    assert_eq!(seen["firewall"], "off");
    assert!(
        seen["registries"][0]["ca"]
            .as_str()
            .is_some_and(|ca| ca.contains("CERTIFICATE"))
    );
    assert!(
        seen["packages"]["apt"]["kubernetes"]["key"]["text"]
            .as_str()
            .is_some_and(|key| key.contains("PGP"))
    );
}

#[test]
fn what_is_left_out_has_a_default() {
    let cluster = cluster(SMALL).unwrap();
    assert_eq!(cluster.endpoint.to_string(), "10.0.0.11:6443");
    assert_eq!(cluster.first_control_plane().unwrap().name.as_str(), "cp1");
    assert_eq!(cluster.workers().count(), 1);
    let ssh = &cluster.hosts[1].ssh;
    assert_eq!(
        (ssh.user.as_deref(), ssh.port, ssh.agent),
        (Some("admin"), None, true)
    );
    let seen = serde_json::to_value(&cluster).unwrap();
    assert_eq!(seen["kubernetesMinor"], "1.36");
    assert_eq!(
        seen["images"]["coredns"],
        "registry.k8s.io/coredns/coredns:v1.14.2"
    );
    assert_eq!(seen["networks"]["dns"], "10.96.0.10");
    assert_eq!(seen["kubeProxy"]["mode"], "nftables");
    assert_eq!(seen["calico"]["dataplane"], "nftables");
    assert_eq!(seen["containerd"]["configVersion"], 4);
    assert_eq!(seen["hosts"][1]["roles"]["worker"], true);
    assert_eq!(seen["hosts"][1]["taints"][0]["effect"], "NoSchedule");
    assert_eq!(
        seen["packages"]["apt"]["containerd"]["suite"],
        "${VERSION_CODENAME}"
    );
}

#[test]
fn the_proxy_is_kept_out_of_the_cluster() {
    let text = format!("{SMALL}proxy: {{ https: 'http://proxy.ci.example:3128', noProxy: [.ci.example] }}\n");
    let proxy = cluster(&text).unwrap().proxy;
    for name in [
        ".ci.example",
        "10.0.0.12",
        "10.244.0.0/16",
        "10.96.0.0/16",
        ".cluster.local",
        ".svc",
    ] {
        assert!(proxy.no_proxy.contains(&name.to_owned()), "{name}");
    }
}

#[test]
fn the_secret_is_in_no_output() {
    let text = SMALL.replace("user: admin", "user: admin, sudo: { password: hunter2 }");
    let shown = cluster(&text).unwrap_err();
    assert!(shown.contains("inventory::plain-secret"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let text = SMALL.replace("user: admin", "user: admin, password: { env: CI_SECRET }");
    let seen = serde_json::to_string(&cluster(&text).unwrap()).unwrap();
    assert!(!seen.contains("CI_SECRET"), "{seen}");
}

#[test]
fn jenkins_has_defaults_and_names_its_secrets() {
    assert!(cluster(SMALL).unwrap().jenkins.is_none());
    let text = format!(
        "{SMALL}jenkins:\n  credentials: [{{ id: git, kind: sshKey, username: git, privateKey: {{ env: GIT_KEY }} }}]\n"
    );
    let cluster = cluster(&text).unwrap();
    assert_eq!(cluster.secrets(), [&SecretRef::Env("GIT_KEY".into())]);
    let seen = serde_json::to_value(&cluster).unwrap();
    let jenkins = &seen["jenkins"];
    assert_eq!(jenkins["url"], "http://10.0.0.11:30080/");
    assert_eq!(jenkins["agents"]["namespace"], "kube-ops-agents");
    assert_eq!(jenkins["agents"]["templates"][0]["labels"][0], "jnlp");
    assert_eq!(jenkins["credentials"][0]["kind"], "sshKey");
    assert_eq!(jenkins["credentials"][0]["privateKey"]["env"], "GIT_KEY");
    let plain = super::tests::cluster(&text.replace("{ env: GIT_KEY }", "hunter2")).unwrap_err();
    assert!(
        plain.contains("inventory::plain-secret") && !plain.contains("hunter2"),
        "{plain}"
    );
}

#[test]
fn a_jump_host_of_the_inventory_is_reached_as_that_host_is() {
    let text = SMALL
        .replace("user: admin", "user: admin, jump: { host: cp1, user: hop }")
        .replace(
            "roles: [control-plane]",
            "roles: [control-plane], ssh: { port: 2222 }",
        );
    let cluster = cluster(&text).unwrap();
    assert!(cluster.hosts[0].ssh.jump.is_none());
    let jump = cluster.hosts[1].ssh.jump.as_ref().unwrap();
    assert_eq!(
        (jump.address.as_str(), jump.user.as_deref()),
        ("10.0.0.11", Some("hop"))
    );
    assert_eq!(jump.port, Some(2222));
}
