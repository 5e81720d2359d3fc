//! What Jenkins may do, and where.

use serde_json::Value;

use super::{INVENTORY, id, objects, pods};

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
