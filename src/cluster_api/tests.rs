//! The layer's promises about requests, against a stand-in.

#![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::kubeconfig::Kubeconfig;
use super::standin::{Reply, RequestLog, admin_conf, connect, refusal};
use super::{Api, DifferenceKind, KubeadmConfiguration};
use crate::secret::Redactor;
use crate::transport::memory::MemoryHost;
use crate::transport::{ScriptEnd, ScriptOutput};

const PATH: &str = "GET /api/v1/namespaces/ci/configmaps/a";

fn config_map(value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "ci"}, "data": {"k": value}})
}

fn patches(log: &RequestLog) -> Vec<String> {
    let log = log.lock().unwrap();
    log.iter()
        .filter(|request| request.starts_with("PATCH"))
        .cloned()
        .collect()
}

#[tokio::test]
async fn what_is_as_wanted_is_only_read() {
    let (api, log) = connect(|_, _| Reply::Json(200, config_map("1"))).await;
    assert_eq!(api.apply(&[config_map("1")]).await.unwrap(), []);
    assert_eq!(*log.lock().unwrap(), ["GET /apis", "GET /api", PATH]);
}

#[tokio::test]
async fn another_spelling_is_settled_by_a_dry_run() {
    // Stands for a server that stores `0.25` as `250m`.
    let (api, log) = connect(|_, _| Reply::Json(200, config_map("250m"))).await;
    assert_eq!(api.apply(&[config_map("0.25")]).await.unwrap(), []);
    assert!(
        patches(&log)
            .iter()
            .all(|request| request.ends_with("&dryRun=All")),
        "{log:?}"
    );
    assert_eq!(patches(&log).len(), 1);
}

#[tokio::test]
async fn a_difference_is_applied_as_ours() {
    let (api, log) = connect(|request, _| {
        let value = if request.starts_with("PATCH") { "2" } else { "1" };
        Reply::Json(200, config_map(value))
    })
    .await;
    let found = api.apply(&[config_map("2")]).await.unwrap();
    let diff = "data.k\n-   \"1\"\n+   \"2\"\n".to_owned();
    assert_eq!(found[0].kind, DifferenceKind::Changed { diff });
    assert!(
        patches(&log)[1].ends_with("?fieldManager=ci-bootstrap&force=true&fieldValidation=Strict"),
        "{log:?}"
    );
}

#[tokio::test]
async fn a_connection_that_breaks_is_replaced_once() {
    let (api, _) = connect(|_, count| {
        if count == 1 {
            Reply::HangUp
        } else {
            Reply::Json(200, config_map("1"))
        }
    })
    .await;
    assert_eq!(api.compare(&[config_map("1")]).await.unwrap(), []);
    let (api, log) = connect(|_, _| Reply::HangUp).await;
    let error = api.compare(&[config_map("1")]).await.unwrap_err().to_string();
    assert!(
        error.starts_with("compare ConfigMap ci/a: talking to the API server http://127.0.0.1:"),
        "{error}"
    );
    assert_eq!(
        log.lock()
            .unwrap()
            .iter()
            .filter(|request| *request == PATH)
            .count(),
        2
    );
}

#[tokio::test]
async fn what_may_not_happen_twice_is_not_repeated() {
    let (api, log) = connect(|_, _| Reply::HangUp).await;
    let error = api
        .create_token(Duration::from_secs(60))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("create a bootstrap token: talking to the API server"),
        "{error}"
    );
    assert_eq!(log.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_refusal_names_object_and_reason() {
    let (api, _) = connect(|_, _| refusal(403, "Forbidden", "configmaps \"a\" is forbidden")).await;
    let error = api.compare(&[config_map("1")]).await.unwrap_err().to_string();
    assert!(
        error.starts_with("compare ConfigMap ci/a: configmaps \"a\" is forbidden (Forbidden)\n  help: "),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_told_so() {
    let (api, _) = connect(|_, _| Reply::Text(200, "<html>a proxy's page</html>")).await;
    let error = api.nodes().await.unwrap_err().to_string();
    assert!(
        error.contains("the answer to GET /api/v1/nodes is not JSON"),
        "{error}"
    );
}

#[tokio::test]
async fn an_api_server_that_is_not_ready_tells_what_fails() {
    let (api, _) = connect(|request, _| match request {
        "GET /readyz?verbose" => Reply::Text(
            500,
            "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n",
        ),
        _ => Reply::Json(200, json!({"items": []})),
    })
    .await;
    let status = api.status().await.unwrap();
    let sick: Vec<_> = status
        .health
        .iter()
        .filter(|check| !check.healthy)
        .map(|check| check.name.as_str())
        .collect();
    assert_eq!(sick, ["etcd", "kube-controller-manager", "kube-scheduler"]);
}

#[tokio::test]
async fn a_join_token_is_masked_from_the_moment_it_exists() {
    let (api, _) = connect(|_, _| Reply::Json(201, json!({}))).await;
    let token = api.create_token(Duration::from_secs(60)).await.unwrap();
    let shown = Redactor::process()
        .redact(token.value.expose_secret())
        .into_owned();
    assert!(
        shown.starts_with(&token.id) && shown.ends_with("(secret)"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_host_without_a_way_is_named() {
    let host = MemoryHost::new("cp1", |_| ScriptOutput {
        ended: ScriptEnd::Exited(0),
        stdout: Vec::new(),
        stderr: Vec::new(),
    });
    let kubeconfig = Kubeconfig::parse(&admin_conf("https://10.0.0.1:6443")).unwrap();
    let error = Api::connect(Arc::new(host), &kubeconfig)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("no way to the API server https://10.0.0.1:6443: cannot reach cp1"),
        "{error}"
    );
}

#[tokio::test]
async fn a_configuration_that_others_write_is_read_again_and_one_that_is_as_wanted_is_not_written() {
    const KUBELET: &str = "GET /api/v1/namespaces/kube-system/configmaps/kubelet-config";
    let map = json!({"metadata": {"resourceVersion": "7"}, "data": {"kubelet": "maxPods: 110\n"}});
    let answer = move |request: &str, times: usize| match times {
        1 if request.starts_with("PATCH") => refusal(409, "Conflict", "the object has been modified"),
        _ => Reply::Json(200, map.clone()),
    };
    let (api, log) = connect(answer).await;
    let unchanged = |live: &Value| live.clone();
    api.edit_configuration(KubeadmConfiguration::Kubelet, &unchanged)
        .await
        .unwrap();
    assert_eq!(*log.lock().unwrap(), [KUBELET]);
    log.lock().unwrap().clear();
    let limited = |live: &Value| {
        let mut edited = live.clone();
        edited["podPidsLimit"] = json!(4096);
        edited
    };
    api.edit_configuration(KubeadmConfiguration::Kubelet, &limited)
        .await
        .unwrap();
    assert_eq!(patches(&log).len(), 2, "{:?}", log.lock().unwrap());
    assert_eq!(
        log.lock().unwrap().iter().filter(|line| *line == KUBELET).count(),
        2
    );
}
