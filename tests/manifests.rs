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

/// Everything that changes a manifest, and a secret whose text is `hunter2-…`.
const INVENTORY: &str = include_str!("manifests/inventory.yaml");
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

/// The pods of all agents, by name, as Jenkins gets to know them.
fn pods(objects: &[Value]) -> Vec<(String, Value)> {
    let configuration = objects.iter().find(|object| id(object) == CONFIGURATION).unwrap();
    let text = configuration["data"]["jenkins.yaml"].as_str().unwrap();
    let configuration = yaml::manifests(text).unwrap().remove(0);
    let clouds = configuration["jenkins"]["clouds"].as_array().unwrap().clone();
    let templates = clouds
        .iter()
        .flat_map(|cloud| cloud["kubernetes"]["templates"].as_array().unwrap());
    templates
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

/// The words of Java for the proxy are made by the very script that the container runs.
#[test]
fn plugins_come_through_the_proxy() {
    let objects = objects(INVENTORY);
    let controller = objects
        .iter()
        .find(|object| object["kind"] == "StatefulSet")
        .unwrap();
    let container = &controller["spec"]["template"]["spec"]["initContainers"][0];
    let script = container["command"][2].as_str().unwrap();
    let (functions, _) = script.split_once("\ntouch ").unwrap();
    let mut shell = Command::new("sh");
    shell.args([
        "-euc",
        &format!("{functions}\njava_proxy http \"$http_proxy\"; java_proxy https \"$https_proxy\"; java_proxy https proxy"),
    ]);
    for variable in container["env"].as_array().unwrap() {
        shell.env(
            variable["name"].as_str().unwrap(),
            variable["value"].as_str().unwrap(),
        );
    }
    let output = shell.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    for expected in [
        "-Dhttp.proxyHost=proxy.ci.example -Dhttp.proxyPort=3128 ",
        "-Dhttps.proxyHost=proxy.ci.example -Dhttps.proxyPort=3129 ",
        "-Dhttps.proxyHost=proxy -Dhttps.proxyPort=80 ",
        "'-Dhttp.nonProxyHosts=*.intern.example|",
        "|*.svc|",
    ] {
        assert!(said.contains(expected), "no {expected} in {said}");
    }
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

#[test]
fn agents_that_need_no_privileges_are_restricted() {
    let pods = pods(&objects(INVENTORY));
    let names: Vec<_> = pods.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["jnlp", "maven", "mine", "docker", "dind", "kaniko", "buildkit"]
    );
    for (name, pod) in &pods[..3] {
        assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], true, "{name}");
        for container in pod["spec"]["containers"].as_array().unwrap() {
            assert_eq!(
                container["securityContext"]["allowPrivilegeEscalation"], false,
                "{name}"
            );
        }
    }
    for (name, pod) in &pods {
        assert_eq!(pod["spec"]["containers"][0]["name"], "jnlp", "{name}");
        assert_eq!(
            pod["spec"]["automountServiceAccountToken"],
            name == "maven",
            "{name}"
        );
    }
    let maven = &pods[1].1["spec"];
    assert_eq!(maven["tolerations"][0]["operator"], "Equal");
    assert_eq!(
        maven["volumes"][1]["persistentVolumeClaim"]["claimName"],
        "agent-maven-cache"
    );
    assert_eq!(
        pods[2].1["spec"]["containers"][1]["image"],
        "harbor.ci.example/ci/mine:1"
    );
}

#[test]
fn manifests_are_valid_for_the_oldest_and_the_newest_kubernetes() {
    if !Path::new(VALIDATOR).exists() {
        let skipped = "test manifests_are_valid_for_the_oldest_and_the_newest_kubernetes ... skipped: run `make schemas` once\n";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), skipped.as_bytes());
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
