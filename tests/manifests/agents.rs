//! Agents' pods, of templates and of Jenkinsfiles.

use super::{INVENTORY, clouds, configuration, id, objects, pods};

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
            serde_json::json!({"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "1Gi"})
        );
    }
}

/// What a tool needs is not known before a build has said so, but it is more than nothing.
#[test]
fn tools_ask_for_more_than_the_least_unless_the_inventory_says_so() {
    let pods = pods(&objects(INVENTORY));
    let requests = |pod: &str, container: &str| {
        let (_, pod) = pods.iter().find(|(name, _)| name == pod).unwrap();
        let lists = ["initContainers", "containers"].map(|list| pod["spec"][list].as_array().cloned());
        let mut containers = lists.into_iter().flatten().flatten();
        let found = containers.find(|one| one["name"] == container).unwrap();
        found["resources"]["requests"].clone()
    };
    let tool = serde_json::json!({"cpu": "250m", "memory": "1Gi"});
    for pod in ["maven", "kaniko", "buildkit"] {
        assert_eq!(requests(pod, pod), tool, "{pod}");
    }
    // It has a limit, which is what it asks for then.
    assert_eq!(requests("dind", "dockerd"), serde_json::json!({}));
    assert_eq!(
        requests("kaniko", "jnlp"),
        serde_json::json!({"cpu": "100m", "memory": "256Mi"})
    );
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
