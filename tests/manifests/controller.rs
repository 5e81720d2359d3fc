//! The controller: its words for Java, its plugins, its configuration.

use std::process::Command;

use ci_bootstrap::yaml;
use serde_json::Value;

use super::{CONFIGURATION, INVENTORY, clouds, configuration, id, objects};

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

#[test]
fn the_controller_comes_before_builds() {
    let objects = objects(INVENTORY);
    let of_kind = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap();
    let pod = &of_kind("StatefulSet")["spec"]["template"]["spec"];
    let class = of_kind("PriorityClass");
    assert_eq!(pod["priorityClassName"], class["metadata"]["name"]);
    assert!(class["value"].as_i64().unwrap() > 0);
    let requests = &pod["containers"][0]["resources"]["requests"];
    assert_eq!(
        requests["ephemeral-storage"], "2Gi",
        "else a full disk ends it first"
    );
    let limited = INVENTORY.replacen(
        "jenkins:\n",
        "jenkins:\n  resources: { limits: { ephemeral-storage: 1Gi } }\n",
        1,
    );
    let objects = self::objects(&limited);
    let controller = objects
        .iter()
        .find(|object| object["kind"] == "StatefulSet")
        .unwrap();
    let resources = &controller["spec"]["template"]["spec"]["containers"][0]["resources"];
    assert!(
        resources["requests"].get("ephemeral-storage").is_none(),
        "{resources}"
    );
}

/// Without a word of the inventory nothing is deleted.
#[test]
fn builds_are_kept_as_the_inventory_says() {
    assert!(
        configuration(&objects(INVENTORY))["unclassified"]
            .get("buildDiscarders")
            .is_none()
    );
    let kept = INVENTORY.replacen("jenkins:\n", "jenkins:\n  keep: { builds: 50, days: 30 }\n", 1);
    let discarders = &configuration(&objects(&kept))["unclassified"]["buildDiscarders"];
    assert_eq!(
        discarders["configuredBuildDiscarders"],
        serde_json::json!([
            "jobBuildDiscarder",
            {"simpleBuildDiscarder": {"discarder": {"logRotator": {"numToKeepStr": "50", "daysToKeepStr": "30"}}}}
        ])
    );
}

/// The file of locked plugins beside an inventory with these.
fn locked(sum: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let names = ["configuration-as-code", "kubernetes", "workflow-aggregator"];
    let lines: String = names
        .iter()
        .map(|name| format!("  {name}: {{ version: \"1.5\", sha256: \"{sum}\" }}\n"))
        .collect();
    let file = folder.path().join("plugins.lock.yaml");
    fs_err::write(&file, format!("jenkins: 2.568.2\nplugins:\n{lines}")).unwrap();
    let pins: String = names.iter().map(|name| format!("{name}: \"1.5\", ")).collect();
    objects(&format!(
        "apiVersion: ci-bootstrap/v1\ncluster: {{ name: ci, kubernetes: 1.36.4 }}\nssh: {{ user: root }}\n\
         hosts: [{{ name: cp1, address: 10.0.0.11, roles: [control-plane, worker] }}]\n\
         jenkins: {{ plugins: {{ source: folder, defaults: false, pins: {{ {pins} }}, lock: {} }} }}\n",
        file.display()
    ))
}

/// The init container's script is run on folders of this machine: the sums are looked at before anything of a file is read.
#[test]
fn a_plugin_of_another_sum_is_not_installed() {
    // SHA-256 of nothing: each plugin is an empty file.
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for (sum, refused) in [(empty, false), (&"0".repeat(64), true)] {
        let objects = locked(sum);
        let controller = objects
            .iter()
            .find(|object| object["kind"] == "StatefulSet")
            .unwrap();
        let container = &controller["spec"]["template"]["spec"]["initContainers"][0];
        let folder = tempfile::tempdir().unwrap();
        let (home, plugins) = (folder.path().join("home"), folder.path().join("plugins"));
        for path in [&home, &plugins] {
            fs_err::create_dir(path).unwrap();
        }
        for name in ["configuration-as-code", "kubernetes", "workflow-aggregator"] {
            fs_err::write(plugins.join(format!("{name}.hpi")), "").unwrap();
        }
        let script = container["command"][2].as_str().unwrap();
        let script = script
            .replace("/var/jenkins_home", home.to_str().unwrap())
            .replace("folder=/plugins\n", &format!("folder={}\n", plugins.display()))
            .replace(
                "/tmp/plugins.txt",
                folder.path().join("plugins.txt").to_str().unwrap(),
            );
        let mut command = Command::new("sh");
        command.args(["-euc", &script]);
        for variable in container["env"].as_array().unwrap() {
            if let Some(value) = variable["value"].as_str() {
                command.env(variable["name"].as_str().unwrap(), value);
            }
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        // An empty file has no manifest either, which is what is told where the sums are right.
        assert_eq!(output.status.code(), Some(78), "{output:?}");
        assert_eq!(
            said.contains("have not the SHA-256 of jenkins.plugins.lock"),
            refused,
            "{said}"
        );
        assert_eq!(said.contains("kubernetes.jpi"), refused, "{said}");
        assert_eq!(
            said.contains("plugin kubernetes: 1.5 is listed"),
            !refused,
            "{said}"
        );
    }
}
