//! The API layer against a real cluster whose admin kubeconfig `CIB_TEST_KUBECONFIG` names.
//!
//! Run with `cargo test --test cluster_api -- --ignored`, from where the API server can be reached. Besides, it needs the
//! registry of which the nodes pull (`CIB_TEST_REGISTRY=host:port`, with `busybox:2` and Calico's images) and a manifest of
//! Calico 3.32.1 (`CIB_TEST_CALICO=path`); the cluster has kubeadm's defaults and the pod network 10.244.0.0/16.

#![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use ci_bootstrap::cluster_api::{
    Api, ApiError, DifferenceKind, KubeadmConfiguration, Kubeconfig, NodeSettings, NodeTaint, Object,
    ObjectId, Releases, RolloutKind, RolloutTarget, customise,
};
use ci_bootstrap::model::{Calico, Dataplane, Encapsulation, Manifest, ManifestSource};
use ci_bootstrap::transport::direct::Direct;
use ipnet::IpNet;
use serde_json::json;
use sha2::{Digest as _, Sha256};

fn kubeconfig() -> Kubeconfig {
    let path = std::env::var("CIB_TEST_KUBECONFIG").unwrap_or_default();
    Kubeconfig::parse(&fs_err::read_to_string(path).unwrap()).unwrap()
}

async fn api() -> Api {
    Api::connect(Arc::new(Direct), &kubeconfig()).await.unwrap()
}

async fn read_all(api: &Api, objects: &[Object]) -> Vec<Option<Object>> {
    let mut live = Vec::new();
    for object in objects {
        live.push(api.read(&ObjectId::from_object(object).unwrap()).await.unwrap());
    }
    live
}

async fn delete_all(api: &Api, objects: &[Object]) {
    for object in objects {
        api.delete(&ObjectId::from_object(object).unwrap(), Duration::from_secs(30))
            .await
            .unwrap();
    }
}

fn workload(namespace: &str, image: &str) -> Vec<Object> {
    vec![
        json!({"apiVersion": "test.ci-bootstrap.example/v1", "kind": "Build", "metadata": {"name": "b1"}, "spec": {"steps": 3}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": namespace},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": image,
                    "resources": {"requests": {"cpu": "0.25", "memory": "1024Mi"}},
                    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}]}}}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": namespace}, "stringData": {"k": "very-secret"}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "builds.test.ci-bootstrap.example"},
            "spec": {"group": "test.ci-bootstrap.example", "scope": "Cluster",
                "names": {"plural": "builds", "singular": "build", "kind": "Build", "listKind": "BuildList"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                    "type": "object", "properties": {"spec": {"type": "object", "properties": {"steps": {"type": "integer"}}}}}}}]}}),
    ]
}

fn changed(api: &[ci_bootstrap::cluster_api::Difference], kind: &str) -> String {
    let found = api.iter().find(|d| d.id.kind == kind).unwrap();
    match &found.kind {
        DifferenceKind::Changed { diff } => diff.clone(),
        DifferenceKind::Missing => "missing".into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn apply_changes_the_difference_and_nothing_else() {
    let api = api().await;
    let wanted = workload("cib-apply", "registry.example/web:1");
    delete_all(&api, &wanted).await;

    let missing = api.compare(&wanted).await.unwrap();
    assert_eq!(missing.len(), 5, "{missing:?}");
    assert!(missing.iter().all(|d| d.kind == DifferenceKind::Missing));
    assert_eq!(api.apply(&wanted).await.unwrap().len(), 5);
    assert_eq!(api.compare(&wanted).await.unwrap(), []);
    assert_eq!(api.apply(&wanted).await.unwrap(), []);

    let mut wanted = workload("cib-apply", "registry.example/web:2");
    wanted[1]["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{"name": "A", "value": "1"}]);
    wanted[2]["stringData"]["k"] = "another-secret".into();
    let found = api.compare(&wanted).await.unwrap();
    let diff = changed(&found, "Deployment");
    assert!(
        diff.contains("[name=web].env[name=B]\n-   {\"name\":\"B\",\"value\":\"2\"}\n"),
        "{diff}"
    );
    assert!(
        diff.contains("[name=web].image\n-   \"registry.example/web:1\"\n+   \"registry.example/web:2\"\n"),
        "{diff}"
    );
    assert_eq!(changed(&found, "Secret"), "data.k\n-   (hidden)\n+   (hidden)\n");
    assert_eq!(found.len(), 2, "{found:?}");
    api.apply(&wanted).await.unwrap();
    assert_eq!(api.compare(&wanted).await.unwrap(), []);

    // What is only dropped, and nothing else, is found too.
    wanted[1]["spec"]["template"]["spec"]["containers"][0]
        .as_object_mut()
        .unwrap()
        .remove("env");
    let found = api.apply(&wanted).await.unwrap();
    assert!(changed(&found, "Deployment").contains("env"), "{found:?}");
    assert_eq!(api.compare(&wanted).await.unwrap(), []);
    delete_all(&api, &wanted).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn a_refused_object_says_why() {
    let api = api().await;
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "Bad_Name", "namespace": "default"}});
    let error = api.apply(&[object]).await.unwrap_err().to_string();
    assert!(
        error.starts_with("apply ConfigMap default/Bad_Name: ConfigMap \"Bad_Name\" is invalid"),
        "{error}"
    );
    let object = json!({"apiVersion": "no.such.example/v1", "kind": "Thing", "metadata": {"name": "x"}});
    assert_eq!(api.compare(std::slice::from_ref(&object)).await.unwrap().len(), 1);
    let error = api.apply(&[object]).await.unwrap_err();
    assert!(matches!(error, ApiError::UnknownKind { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn labels_and_taints_come_and_go_alone() {
    let api = api().await;
    let before = api.nodes().await.unwrap().pop().unwrap();
    let taint = NodeTaint {
        key: "ci-test".into(),
        value: "x".into(),
        effect: "PreferNoSchedule".into(),
        added: None,
    };
    let mut wanted = NodeSettings {
        name: before.name.clone(),
        labels: [
            ("ci-test/one".into(), "1".into()),
            ("ci-test/two".into(), "2".into()),
        ]
        .into(),
        taints: vec![taint],
        control_plane_taint: None,
    };
    assert_eq!(api.apply_node(&wanted).await.unwrap().len(), 3);
    assert_eq!(api.compare_node(&wanted).await.unwrap(), Vec::<String>::new());
    let during = api.node(&before.name).await.unwrap().unwrap();
    assert_eq!(during.labels["ci-test/two"], "2");
    assert_eq!(during.taints.len(), before.taints.len() + 1);

    wanted.labels.remove("ci-test/one");
    wanted.taints.clear();
    assert_eq!(
        api.apply_node(&wanted).await.unwrap(),
        [
            "label ci-test/one: remove",
            "taint ci-test:PreferNoSchedule: remove"
        ]
    );
    wanted.labels.clear();
    assert_eq!(
        api.apply_node(&wanted).await.unwrap(),
        ["label ci-test/two: remove"]
    );
    let after = api.node(&before.name).await.unwrap().unwrap();
    assert_eq!((after.labels, after.taints), (before.labels, before.taints));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn a_token_exists_until_it_is_deleted() {
    let api = api().await;
    let token = api.create_token(Duration::from_secs(60)).await.unwrap();
    let left = api.left_tokens().await.unwrap();
    assert!(
        left.iter().any(|t| t.id == token.id && !t.expires.is_empty()),
        "{left:?}"
    );
    api.delete_token(&token.id).await.unwrap();
    api.delete_token(&token.id).await.unwrap();
    assert!(api.left_tokens().await.unwrap().iter().all(|t| t.id != token.id));
    assert!(kubeconfig().ca_hashes().unwrap()[0].starts_with("sha256:"));
}

/// The release manifest that `CIB_TEST_CALICO` names, with images from the registry of `CIB_TEST_REGISTRY`.
async fn calico() -> (Calico, Vec<Object>) {
    let path = std::env::var("CIB_TEST_CALICO").unwrap_or_default();
    let digest = Sha256::digest(fs_err::read(&path).unwrap());
    let calico = Calico {
        version: "3.32.1".parse().unwrap(),
        encapsulation: Encapsulation::VxlanCrossSubnet,
        mtu: 0,
        block_size: 26,
        nat_outgoing: true,
        manifest: Manifest {
            source: ManifestSource::Path(path.into()),
            sha256: hex::encode(digest),
        },
        image_registry: std::env::var("CIB_TEST_REGISTRY").unwrap_or_default(),
        dataplane: Dataplane::Nftables,
        bgp: false,
    };
    let objects = Releases::with_user_cache().load(&calico.manifest).await.unwrap();
    let objects = customise(objects, &calico, pods()).unwrap();
    (calico, objects)
}

fn pods() -> IpNet {
    "10.244.0.0/16".parse().unwrap()
}

/// Applies Calico, waits for its pods and gives its objects. Nothing to do must then cost no more than looking.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn calico_comes_up_and_is_left_alone_then() {
    let (calico, objects) = calico().await;
    let api = api().await;
    api.apply(&objects).await.unwrap();
    let limit = Duration::from_secs(240);
    let targets = [
        (RolloutKind::DaemonSet, "calico-node"),
        (RolloutKind::Deployment, "calico-kube-controllers"),
    ];
    for (kind, name) in targets {
        let target = RolloutTarget::new(kind, "kube-system", name);
        api.wait(&target, limit, |_| {}).await.unwrap();
    }
    for node in api.nodes().await.unwrap() {
        api.wait(&RolloutTarget::node(node.name), limit, |_| {})
            .await
            .unwrap();
    }
    let start = Instant::now();
    let before = specs(read_all(&api, &objects).await);
    let reading = start.elapsed();

    // The best of three, since other work on the machine makes single runs slow; a dry run per object would triple it.
    let mut comparing = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        assert_eq!(api.compare(&objects).await.unwrap(), []);
        comparing = comparing.min(start.elapsed());
    }
    assert!(
        comparing < reading * 2,
        "comparing took {comparing:?}, reading one by one {reading:?}"
    );
    assert_eq!(api.apply(&objects).await.unwrap(), []);
    assert_eq!(specs(read_all(&api, &objects).await), before);
    the_pool_follows(&api, calico).await;
}

async fn the_pool_follows(api: &Api, calico: Calico) {
    api.apply_pool(&calico, pods()).await.unwrap();
    assert_eq!(
        api.compare_pool(&calico, pods()).await.unwrap(),
        Vec::<String>::new()
    );
    let always = Calico {
        encapsulation: Encapsulation::Vxlan,
        ..calico
    };
    let found = api.apply_pool(&always, pods()).await.unwrap();
    assert_eq!(
        found,
        ["IPPool default-ipv4-ippool: vxlanMode: \"CrossSubnet\" becomes \"Always\""]
    );
    assert_eq!(
        api.compare_pool(&always, pods()).await.unwrap(),
        Vec::<String>::new()
    );
    let other = "10.99.0.0/16".parse().unwrap();
    let error = api.compare_pool(&always, other).await.unwrap_err().to_string();
    assert!(
        error.contains("has cidr 10.244.0.0/16, and the inventory says 10.99.0.0/16"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn the_status_of_a_healthy_cluster_is_healthy() {
    let status = api().await.status().await.unwrap();
    assert!(
        status.nodes.iter().all(|node| node.internal_ip.is_some()),
        "{:?}",
        status.nodes
    );
    assert!(
        status.health.iter().any(|check| check.name == "etcd"),
        "{:?}",
        status.health
    );
    assert!(
        status.health.iter().all(|check| check.healthy),
        "{:?}",
        status.health
    );
    assert!(
        status
            .workloads
            .iter()
            .any(|w| w.target.name == "kube-proxy" && w.ready),
        "{:?}",
        status.workloads
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn kube_proxy_gets_its_settings_and_a_restart() {
    let api = api().await;
    let cluster = api
        .configuration(KubeadmConfiguration::Cluster)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(cluster["kind"], "ClusterConfiguration");
    let before = api
        .configuration(KubeadmConfiguration::KubeProxy)
        .await
        .unwrap()
        .unwrap();
    let other = if before["metricsBindAddress"] == "" {
        "127.0.0.1:10249"
    } else {
        ""
    };
    let wanted = json!({"mode": before["mode"], "metricsBindAddress": other});
    let found = api.compare_kube_proxy(&wanted).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("metricsBindAddress\n"), "{found:?}");
    assert_eq!(api.apply_kube_proxy(&wanted).await.unwrap(), found);
    assert_eq!(api.apply_kube_proxy(&wanted).await.unwrap(), Vec::<String>::new());
    let target = RolloutTarget::new(RolloutKind::DaemonSet, "kube-system", "kube-proxy");
    api.wait(&target, Duration::from_secs(120), |_| {}).await.unwrap();
}

/// What of the objects is ours: their status goes on changing by itself.
fn specs(all: Vec<Option<Object>>) -> Vec<Option<(Object, Object)>> {
    let of = |o: Object| {
        (
            o["metadata"]["generation"].clone(),
            o["metadata"]["managedFields"][0].clone(),
        )
    };
    all.into_iter().map(|object| object.map(of)).collect()
}

/// The image `busybox:2` of the registry that `CIB_TEST_REGISTRY` names, in a deployment of one pod.
fn deployment(name: &str, tag: &str, container: &Object) -> Object {
    let registry = std::env::var("CIB_TEST_REGISTRY").unwrap_or_default();
    let mut main = json!({"name": "main", "image": format!("{registry}/busybox:{tag}")});
    for (key, value) in container.as_object().into_iter().flatten() {
        main[key] = value.clone();
    }
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": {"app": name}},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [main]}}}})
}

/// Applies the deployment, waits for it and takes it away again; gives how the wait ended, as text.
async fn rollout(object: Object, limit: u64) -> Result<(), String> {
    let api = api().await;
    let id = ObjectId::from_object(&object).unwrap();
    api.delete(&id, Duration::from_secs(60)).await.unwrap();
    api.apply(&[object]).await.unwrap();
    let target = RolloutTarget::new(RolloutKind::Deployment, "default", &id.name);
    let waited = api.wait(&target, Duration::from_secs(limit), |_| {}).await;
    api.delete(&id, Duration::from_secs(60)).await.unwrap();
    waited.map_err(|e| e.to_string())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn a_wait_ends_when_all_is_ready() {
    let object = deployment("cib-good", "2", &json!({"command": ["sleep", "1000"]}));
    assert_eq!(rollout(object, 60).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn a_missing_image_ends_the_wait_with_the_registrys_answer() {
    let start = Instant::now();
    let error = rollout(deployment("cib-noimage", "9", &json!({})), 300)
        .await
        .unwrap_err();
    assert!(error.starts_with("will not become ready by waiting"), "{error}");
    assert!(
        error.contains("not found") && error.contains("help: the registry has no such image"),
        "{error}"
    );
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn a_crashing_program_ends_the_wait_with_its_last_words() {
    // Without a probe a program counts as ready while it lives.
    let probe = json!({"exec": {"command": ["true"]}, "initialDelaySeconds": 5});
    let command = json!({"command": ["sh", "-c", "echo cannot open /data; exit 3"], "readinessProbe": probe});
    let error = rollout(deployment("cib-crash", "2", &command), 300)
        .await
        .unwrap_err();
    assert!(error.contains("exit code 3 (Error)"), "{error}");
    assert!(error.contains("log: cannot open /data"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn a_pod_without_place_or_configuration_is_explained() {
    let greedy = json!({"command": ["sleep", "1000"], "resources": {"requests": {"cpu": "1000"}}});
    let error = rollout(deployment("cib-greedy", "2", &greedy), 8)
        .await
        .unwrap_err();
    assert!(
        error.contains("Unschedulable") && error.contains("Insufficient cpu"),
        "{error}"
    );
    let lost = json!({"command": ["sleep", "1000"], "envFrom": [{"configMapRef": {"name": "cib-no-such"}}]});
    let error = rollout(deployment("cib-lost", "2", &lost), 15).await.unwrap_err();
    assert!(error.contains("configmap \"cib-no-such\" not found"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn a_broken_version_is_replaced_by_a_good_one() {
    let api = api().await;
    for (kind, target_kind) in [
        ("Deployment", RolloutKind::Deployment),
        ("StatefulSet", RolloutKind::StatefulSet),
    ] {
        let version = |tag: &str| {
            let mut object = deployment("cib-fixed", tag, &json!({"command": ["sleep", "1000"]}));
            object["kind"] = kind.into();
            object
        };
        let id = ObjectId::from_object(&version("9")).unwrap();
        api.delete(&id, Duration::from_secs(60)).await.unwrap();
        api.apply(&[version("9")]).await.unwrap();
        let target = RolloutTarget::new(target_kind, "default", "cib-fixed");
        api.wait(&target, Duration::from_secs(300), |_| {})
            .await
            .unwrap_err();
        api.apply(&[version("2")]).await.unwrap();
        api.wait(&target, Duration::from_secs(60), |_| {}).await.unwrap();
        api.delete(&id, Duration::from_secs(60)).await.unwrap();
    }
}
