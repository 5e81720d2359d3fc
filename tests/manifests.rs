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

#[path = "support/skip.rs"]
mod skip;

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

#[test]
fn git_servers_are_known_by_the_keys_of_the_inventory() {
    let strategy = |inventory: &str| {
        let objects = objects(inventory);
        let configuration = objects.iter().find(|object| id(object) == CONFIGURATION).unwrap();
        let text = configuration["data"]["jenkins.yaml"].as_str().unwrap();
        let configuration = yaml::manifests(text).unwrap().remove(0);
        configuration["security"]["gitHostKeyVerificationConfiguration"]["sshHostKeyVerificationStrategy"]
            .clone()
    };
    let keys = &strategy(INVENTORY)["manuallyProvidedKeyVerificationStrategy"]["approvedHostKeys"];
    let lines: Vec<_> = keys.as_str().unwrap().lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with("git.ci.example ssh-ed25519 AAAA"),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("[git.ci.example]:2222 ssh-ed25519 AAAA"),
        "{lines:?}"
    );
    let without = INVENTORY.replace("  knownHosts: [git-known-hosts]\n", "");
    assert_eq!(strategy(&without), "acceptFirstConnectionStrategy");
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

/// The egress rules of a namespace's agents.
fn egress(objects: &[Value], namespace: &str) -> Vec<Value> {
    let wanted = format!("NetworkPolicy {namespace}/jenkins-agents-egress");
    let policy = objects.iter().find(|object| id(object) == wanted).unwrap();
    assert_eq!(policy["spec"]["podSelector"], serde_json::json!({}));
    assert_eq!(policy["spec"]["policyTypes"], serde_json::json!(["Egress"]));
    policy["spec"]["egress"].as_array().unwrap().clone()
}

#[test]
fn builds_reach_a_list_of_peers() {
    let objects = objects(INVENTORY);
    for namespace in ["kube-ops-agents", "kube-ops-builders", "kube-ops-privileged"] {
        let rules = egress(&objects, namespace);
        for rule in &rules {
            let named = rule["to"]
                .as_array()
                .unwrap()
                .iter()
                .all(|peer| peer["ipBlock"].is_null());
            let ports = rule["ports"].as_array().is_some_and(|ports| !ports.is_empty());
            assert!(
                !rule["to"].as_array().unwrap().is_empty() && (named || ports),
                "{rule}"
            );
        }
        let outside = rules
            .iter()
            .find(|rule| rule["to"][0]["ipBlock"]["cidr"] == "0.0.0.0/0")
            .unwrap();
        let except = outside["to"][0]["ipBlock"]["except"].to_string();
        for address in ["169.254.0.0/16", "10.244.0.0/16", "10.0.0.11/32", "10.0.0.12/32"] {
            assert!(except.contains(address), "{namespace}: no {address} in {except}");
        }
        let ports = |address: &str| -> Vec<_> {
            let of = |rule: &&Value| {
                rule["to"]
                    .to_string()
                    .contains(&format!("\"cidr\":\"{address}\""))
            };
            let ports = rules
                .iter()
                .filter(of)
                .flat_map(|rule| rule["ports"].as_array().unwrap());
            ports.map(|port| port["port"].as_u64().unwrap()).collect()
        };
        // NodePorts; of the registries, the proxy and Jenkins, which may be on hosts; and the API server for `maven` alone.
        let mut expected = vec![30000, 30000, 80, 443, 3128, 3129, 5000];
        assert_eq!(ports("10.0.0.12/32"), expected, "{namespace}");
        expected.extend((namespace == "kube-ops-agents").then_some(6443));
        assert_eq!(ports("10.0.0.11/32"), expected, "{namespace}");
    }
}

#[test]
fn without_network_policies_there_is_none() {
    let inventory = INVENTORY.replace("jenkins:\n  images", "jenkins:\n  networkPolicy: false\n  images");
    let policies = |inventory: &str| {
        objects(inventory)
            .iter()
            .filter(|object| object["kind"] == "NetworkPolicy")
            .count()
    };
    assert_eq!((policies(INVENTORY), policies(&inventory)), (7, 0));
}

/// The words that Java gets, and the port for agents that the image's start script is given beside them.
fn java_options(inventory: &str) -> (Vec<String>, String) {
    let objects = objects(inventory);
    let controller = objects
        .iter()
        .find(|object| object["kind"] == "StatefulSet")
        .unwrap();
    let container = &controller["spec"]["template"]["spec"]["containers"][0];
    let variables = container["env"].as_array().unwrap();
    let value = |name: &str| {
        let variable = variables.iter().find(|variable| variable["name"] == name);
        variable.unwrap()["value"].as_str().unwrap().to_owned()
    };
    let options = value("JENKINS_JAVA_OPTS");
    (
        options.split(' ').map(str::to_owned).collect(),
        value("JENKINS_SLAVE_AGENT_PORT"),
    )
}

/// The script `jenkins.sh` of the image adds the port for agents only where the options nowhere contain that property's name.
#[test]
fn the_start_script_opens_the_port_for_agents() {
    for (websocket, expected) in [(false, "50000"), (true, "-1")] {
        let inventory = INVENTORY.replace("  agents:\n", &format!("  agents:\n    websocket: {websocket}\n"));
        let (options, port) = java_options(&inventory);
        let named = |option: &String| option.contains("jenkins.model.Jenkins.slaveAgentPort");
        assert!(!options.iter().any(named), "{options:?}");
        assert_eq!(port, expected);
    }
}

#[test]
fn builds_do_not_wait_for_the_ticks_of_jenkins() {
    let (options, _) = java_options(INVENTORY);
    for expected in [
        "-Dhudson.slaves.NodeProvisioner.initialDelay=0",
        "-Dhudson.slaves.NodeProvisioner.recurrencePeriod=2000",
        "-Djenkins.install.runSetupWizard=false",
        "-XX:MaxRAMPercentage=60",
    ] {
        assert!(
            options.iter().any(|option| option == expected),
            "no {expected} in {options:?}"
        );
    }
}

#[test]
fn jenkins_itself_asks_the_update_site_of_the_inventory_or_none() {
    let (folder, _) = java_options(INVENTORY);
    let site = INVENTORY.replace(
        "source: folder",
        "source: updateSite, updateSite: { metadata: \"https://updates.ci.example/update-center.json\" }",
    );
    let (update_site, _) = java_options(&site);
    for off in [
        "-Dhudson.model.UpdateCenter.never=true",
        "-Dhudson.model.DownloadService.never=true",
    ] {
        assert!(folder.iter().any(|option| option == off), "no {off}");
        assert!(
            !update_site.iter().any(|option| option == off),
            "{off} with an update site"
        );
    }
    let configuration = configuration(&objects(&site));
    assert_eq!(
        configuration["jenkins"]["updateCenter"]["sites"],
        serde_json::json!([{"id": "default", "url": "https://updates.ci.example/update-center.json"}])
    );
}

#[test]
fn what_a_jenkinsfile_brings_along_has_defaults_that_start() {
    let (options, _) = java_options(INVENTORY);
    let image = "-Dorg.csanchez.jenkins.plugins.kubernetes.pipeline.PodTemplateStepExecution.defaultImage=\
                 docker.io/jenkins/inbound-agent:3385.vf1123fb_515da_-1-jdk21";
    assert!(options.iter().any(|option| option == image), "{options:?}");
    let configuration = configuration(&objects(INVENTORY));
    let clouds = clouds(&configuration);
    let users = [Value::from("1000"), Value::Null, Value::Null];
    assert_eq!(clouds.len(), users.len());
    for (cloud, user) in clouds.iter().zip(users) {
        let templates = cloud["templates"].as_array().unwrap();
        let is_base = |template: &&Value| template["name"] == cloud["defaultsProviderTemplate"];
        let base = templates.iter().find(is_base).unwrap();
        assert_eq!(base["runAsUser"], user, "{}", cloud["name"]);
        // Their YAML would take the place of most of what the pods of a Jenkinsfile say.
        assert!(base["yaml"].is_null() && base["label"].is_null());
        assert_eq!(base["nodeUsageMode"], "EXCLUSIVE");
        assert_eq!(base["envVars"][0]["envVar"]["key"], "JENKINS_JAVA_OPTS");
        for template in templates {
            assert_eq!(template["inheritYamlMergeStrategy"], true, "{}", template["name"]);
            assert_eq!(template["yamlMergeStrategy"], "merge", "{}", template["name"]);
        }
    }
}

/// What a template declares takes the place of what its YAML says, and what the defaults declare counts as declared.
#[test]
fn pods_keep_the_user_that_they_name() {
    let own = INVENTORY.replace("file: mine.yaml.j2", "file: user.yaml.j2");
    for (inventory, expected) in [(INVENTORY, "1000"), (own.as_str(), "1234")] {
        let configuration = configuration(&objects(inventory));
        let clouds = clouds(&configuration);
        let templates = clouds[0]["templates"].as_array().unwrap();
        let mine = templates.iter().find(|template| template["name"] == "mine");
        assert_eq!(mine.unwrap()["runAsUser"], expected);
        for cloud in &clouds[1..] {
            let mut templates = cloud["templates"].as_array().unwrap().iter();
            assert!(
                templates.all(|template| template["runAsUser"].is_null()),
                "{cloud}"
            );
        }
    }
}

#[test]
fn pods_of_a_home_that_is_gone_go_too() {
    let configuration = configuration(&objects(INVENTORY));
    for cloud in clouds(&configuration) {
        // Less than 120 s counts as 120.
        assert_eq!(cloud["garbageCollection"]["timeout"], 300, "{}", cloud["name"]);
    }
}

/// The plugin dies of a list that is `null`, at every launch.
#[test]
fn nothing_in_the_configuration_or_a_pod_is_null() {
    let null_list = INVENTORY.replace("file: mine.yaml.j2", "file: user.yaml.j2");
    let objects = objects(&null_list);
    let pods = pods(&objects);
    assert!(pods.iter().any(|(name, _)| name == "mine"), "{pods:?}");
    for (name, pod) in &pods {
        assert!(!pod.to_string().contains("null"), "{name}: {pod}");
    }
    let configuration = configuration(&objects).to_string();
    assert!(!configuration.contains(":null"), "{configuration}");
}

#[test]
fn containers_of_builds_that_say_nothing_ask_for_something() {
    let objects = objects(INVENTORY);
    for namespace in ["kube-ops-agents", "kube-ops-builders", "kube-ops-privileged"] {
        let name = format!("LimitRange {namespace}/agents");
        let limits = objects.iter().find(|object| id(object) == name).unwrap();
        assert_eq!(
            limits["spec"]["limits"][0]["defaultRequest"],
            serde_json::json!({"cpu": "100m", "memory": "256Mi"})
        );
    }
}

#[test]
fn the_controller_comes_before_builds() {
    let objects = objects(INVENTORY);
    let of_kind = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap();
    let pod = &of_kind("StatefulSet")["spec"]["template"]["spec"];
    let class = of_kind("PriorityClass");
    assert_eq!(pod["priorityClassName"], class["metadata"]["name"]);
    assert!(class["value"].as_i64().unwrap() > 0);
}

/// A private image in a Jenkinsfile's pod, which names no account, is pulled with the logins of the inventory.
#[test]
fn pods_without_an_account_have_the_logins_of_registries() {
    let objects = objects(INVENTORY);
    let account = objects
        .iter()
        .find(|object| id(object) == "ServiceAccount kube-ops-agents/default")
        .unwrap();
    assert_eq!(account["imagePullSecrets"][0]["name"], "registry-credentials");
    assert_eq!(account["automountServiceAccountToken"], false);
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
        ["jnlp", "maven", "mine", "kaniko", "docker", "dind", "buildkit"]
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

/// The objects of one namespace's Pod Security and of what Jenkins may do there.
fn access<'a>(objects: &'a [Value], namespace: &str) -> (&'a Value, &'a Value) {
    let found = |wanted: &str| objects.iter().find(|object| id(object) == wanted);
    let level = found(&format!("Namespace /{namespace}"))
        .map(|object| &object["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]);
    let rules = found(&format!("Role {namespace}/jenkins")).map(|object| &object["rules"]);
    (level.unwrap(), rules.unwrap())
}

#[test]
fn each_kind_of_agents_has_a_namespace_that_admits_no_more_than_it_needs() {
    let objects = objects(INVENTORY);
    for (namespace, level) in [
        ("kube-ops-agents", "restricted"),
        ("kube-ops-builders", "baseline"),
        ("kube-ops-privileged", "privileged"),
    ] {
        let (enforced, rules) = access(&objects, namespace);
        assert_eq!(enforced, level, "{namespace}");
        assert_eq!(rules[0]["resources"][0], "pods", "{namespace}");
    }
    let job = objects.iter().find(|object| object["kind"] == "Job").unwrap();
    assert_eq!(job["metadata"]["namespace"], "kube-ops-builders");
    let pods = pods(&objects);
    let kaniko = &pods.iter().find(|(name, _)| name == "kaniko").unwrap().1["spec"];
    for pod in [kaniko, &job["spec"]["template"]["spec"]] {
        let text = pod.to_string();
        for forbidden in [
            "hostPath",
            "Unconfined",
            "\"privileged\"",
            "\"add\"",
            "hostNetwork",
        ] {
            assert!(
                !text.contains(forbidden),
                "baseline admits no {forbidden}: {text}"
            );
        }
    }
}

/// What an admission policy says, which is tried out in `tests/jenkins.rs`.
#[test]
fn jenkins_may_make_pods_like_its_templates_and_no_others() {
    let policy = |objects: &[Value], namespace: &str| {
        let wanted = format!("ValidatingAdmissionPolicy /pods-of-jenkins.{namespace}");
        let found = objects.iter().find(|object| id(object) == wanted);
        found.map(|object| object["spec"].to_string())
    };
    let some = objects(INVENTORY);
    let builders = policy(&some, "kube-ops-builders").unwrap();
    assert!(builders.contains("volume.hostPath.path in []"), "{builders}");
    assert!(builders.contains("has a privileged container"), "{builders}");
    assert!(
        builders.contains("system:serviceaccount:kube-ops:jenkins"),
        "{builders}"
    );
    let privileged = policy(&some, "kube-ops-privileged").unwrap();
    assert!(privileged.contains("/var/run/docker.sock"), "{privileged}");
    assert!(
        !privileged.contains("has a privileged container"),
        "dind has one: {privileged}"
    );
    let only_buildkit = INVENTORY
        .lines()
        .filter(|line| !line.contains("kind: docker") && !line.contains("kind: dind"));
    let few = objects(&only_buildkit.map(|line| format!("{line}\n")).collect::<String>());
    let privileged = policy(&few, "kube-ops-privileged").unwrap();
    assert!(privileged.contains("volume.hostPath.path in []"), "{privileged}");
    assert!(privileged.contains("has a privileged container"), "{privileged}");
    assert_eq!(policy(&few, "kube-ops-agents"), None);
    let own = INVENTORY.replace("{ name: mine,", "{ name: mine, privileged: true,");
    let privileged = policy(&objects(&own), "kube-ops-privileged").unwrap();
    assert!(
        !privileged.contains("hostPath"),
        "a template of one's own may be anything: {privileged}"
    );
}

/// Images are built by Jobs of ours: Jenkins gets no way into their namespace, and privileged pods no namespace at all.
#[test]
fn jenkins_may_do_nothing_where_only_images_are_built() {
    let only = "    templates:\n      - { name: jnlp, kind: jnlp }\n";
    let (before, _) = INVENTORY.split_once("    templates:\n").unwrap();
    let objects = objects(&format!("{before}{only}"));
    let (level, rules) = access(&objects, "kube-ops-builders");
    assert_eq!(level, "baseline");
    assert_eq!(*rules, serde_json::json!([]));
    assert!(
        !objects
            .iter()
            .any(|object| id(object).contains("kube-ops-privileged"))
    );
    let (_, rules) = access(&objects, "kube-ops-agents");
    assert_eq!(rules[0]["resources"][0], "pods");
}

/// The stand-in for Calico is ready only when it has read all of these, also where the lab's own manifest takes the place of the release's.
#[test]
fn the_labs_manifest_has_what_its_standin_watches() {
    let watched = include_str!("lab/src/calico-standin/watched.go");
    let objects = yaml::manifests(include_str!("lab/src/calico-standin/manifest.yaml")).unwrap();
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
