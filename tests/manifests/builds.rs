//! What builds get to know of registries and of the proxy.

use serde_json::Value;

use super::{INVENTORY, id, objects, pods};

#[test]
fn an_image_is_built_with_what_there_is_to_know_about_registries() {
    let objects = objects(INVENTORY);
    let job = objects.iter().find(|object| object["kind"] == "Job").unwrap();
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    let arguments: Vec<_> = container["args"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for expected in [
        "--destination=harbor.ci.example/ci/mine:1",
        "--registry-map=index.docker.io=harbor.ci.example/hub",
        "--registry-map=index.docker.io=plain.example:5000",
        "--insecure-registry=plain.example:5000",
        "--registry-certificate=harbor.ci.example=/registry-ca/ca.crt",
        "--skip-tls-verify-registry=lab.example",
        "--insecure-registry=own.example:5000",
    ] {
        assert!(arguments.contains(&expected), "no {expected} in {arguments:?}");
    }
    let proxy = container["env"].to_string();
    assert!(
        proxy.contains("http://proxy.ci.example:3128") && proxy.contains("no_proxy"),
        "{proxy}"
    );
    let digest = job["metadata"]["annotations"]["ci-bootstrap/digest"]
        .as_str()
        .unwrap();
    assert_eq!(digest.len(), 64, "{digest}");
    let pods = pods(&objects);
    let own = &pods[2].1["spec"]["containers"][1];
    assert_eq!(own["imagePullPolicy"], "Always");
    assert!(pods[1].1["spec"]["containers"][1]["imagePullPolicy"].is_null());
}

/// The variable of a container, or nothing.
fn variable<'a>(container: &'a Value, name: &str) -> &'a str {
    let all = container["env"].as_array().into_iter().flatten();
    let found = all.into_iter().find(|variable| variable["name"] == name);
    found
        .and_then(|variable| variable["value"].as_str())
        .unwrap_or_default()
}

fn container_of(pods: &[(String, Value)], pod: &str, at: &str) -> Value {
    let (_, found) = pods.iter().find(|(name, _)| name == pod).unwrap();
    found["spec"].pointer(at).unwrap().clone()
}

#[test]
fn every_kind_of_build_knows_registries() {
    let pods = pods(&objects(INVENTORY));
    let container = |pod: &str, at: &str| container_of(&pods, pod, at);
    let kaniko = container("kaniko", "/containers/1");
    assert_eq!(
        variable(&kaniko, "SSL_CERT_DIR"),
        "/kaniko/ssl/certs:/registry-ca"
    );
    assert_eq!(
        variable(&kaniko, "KANIKO_REGISTRY_MAP"),
        "index.docker.io=harbor.ci.example/hub;index.docker.io=plain.example:5000"
    );
    assert_eq!(
        variable(&kaniko, "REGISTRY_FLAGS"),
        "--skip-tls-verify-registry=lab.example --insecure-registry=own.example:5000 --insecure-registry=plain.example:5000"
    );
    let buildkit = container("buildkit", "/containers/1");
    assert!(variable(&buildkit, "BUILDKITD_FLAGS").ends_with("--config=/build-settings/buildkitd.toml"));
    let dockerd = container("dind", "/initContainers/0");
    let arguments = dockerd["args"].to_string();
    for flag in [
        "--insecure-registry=lab.example",
        "--insecure-registry=own.example:5000",
        "--registry-mirror=http://plain.example:5000",
    ] {
        assert!(arguments.contains(flag), "no {flag} in {arguments}");
    }
    assert!(
        !arguments.contains("/v2/hub"),
        "Docker knows no mirrors with a path"
    );
    assert_eq!(variable(&dockerd, "SSL_CERT_DIR"), "/etc/ssl/certs:/registry-ca");
    for (pod, at, mounted) in [
        ("kaniko", "/containers/1", "/registry-ca"),
        ("buildkit", "/containers/1", "/registry-ca"),
        ("buildkit", "/containers/1", "/build-settings"),
        ("dind", "/initContainers/0", "/registry-ca"),
        ("maven", "/containers/1", "/build-settings"),
    ] {
        let mounts = container(pod, at)["volumeMounts"].to_string();
        assert!(
            mounts.contains(&format!("\"{mounted}\"")),
            "no {mounted} for {pod}"
        );
    }
}

#[test]
fn every_kind_of_build_goes_through_the_proxy() {
    let pods = pods(&objects(INVENTORY));
    let container = |pod: &str, at: &str| container_of(&pods, pod, at);
    for (pod, at) in [
        ("kaniko", "/containers/1"),
        ("buildkit", "/containers/1"),
        ("dind", "/initContainers/0"),
        ("dind", "/containers/1"),
        ("docker", "/containers/1"),
        ("maven", "/containers/1"),
    ] {
        let container = container(pod, at);
        assert_eq!(
            variable(&container, "https_proxy"),
            "http://proxy.ci.example:3129/",
            "{pod}{at}"
        );
    }
    let maven = container("maven", "/containers/1");
    let arguments = variable(&maven, "MAVEN_ARGS");
    assert!(
        arguments.contains("--global-settings=/build-settings/maven.xml")
            && arguments.contains("/cache/repository"),
        "{arguments}"
    );
}

#[test]
fn builds_find_their_settings_in_files() {
    let objects = objects(INVENTORY);
    let settings = objects
        .iter()
        .find(|object| id(object) == "ConfigMap kube-ops-builders/build-settings");
    let data = &settings.unwrap()["data"];
    let buildkit = data["buildkitd.toml"].as_str().unwrap();
    for section in [
        "[registry.\"docker.io\"]\n  mirrors = [\"harbor.ci.example/hub\", \"plain.example:5000\"]\n",
        "[registry.\"harbor.ci.example\"]\n  ca = [\"/registry-ca/ca.crt\"]\n",
        "[registry.\"lab.example\"]\n  insecure = true\n",
        "[registry.\"own.example:5000\"]\n  http = true\n",
        "[registry.\"plain.example:5000\"]\n  http = true\n",
    ] {
        assert!(buildkit.contains(section), "no {section} in {buildkit}");
    }
    let maven = data["maven.xml"].as_str().unwrap();
    for part in [
        "<protocol>https</protocol><host>proxy.ci.example</host><port>3129</port>",
        "<nonProxyHosts>*.intern.example|",
        "|*.svc|",
    ] {
        assert!(maven.contains(part), "no {part} in {maven}");
    }
}
