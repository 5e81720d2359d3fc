//! What happens inside pods: commands in their containers, and their logs.

use k8s_openapi::api::core::v1::Pod;
use kube::api::AttachParams;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::call::ApiCall;
use super::client::Api;
use super::error::ApiError;
use super::object::ObjectId;

/// Longest output of a command that is read.
const LONGEST: u64 = 1 << 20;

/// One container of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Namespace of the pod.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub name: String,
}

impl Container {
    /// The pod that it is in.
    pub fn pod_id(&self) -> ObjectId {
        ObjectId::new("v1", "Pod", Some(&self.namespace), &self.pod)
    }
}

/// How a command in a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodCommandResult {
    /// Whether it ended with status 0.
    pub success: bool,
    /// What it printed, errors last.
    pub output: String,
}

impl Api {
    /// Runs a command in a container and waits for its end. The words are seen by everybody who may look at the node's
    /// processes.
    pub async fn exec(&self, container: &Container, command: &[&str]) -> Result<PodCommandResult, ApiError> {
        let what = format!(
            "run {} in pod {}/{}",
            command.first().unwrap_or(&""),
            container.namespace,
            container.pod
        );
        let run = async {
            let pods = kube::Api::<Pod>::namespaced(self.kube(), &container.namespace);
            let parameters = AttachParams::default()
                .container(&container.name)
                .stdout(true)
                .stderr(true);
            let mut process = pods
                .exec(&container.pod, command.iter().copied(), &parameters)
                .await?;
            let status = process.take_status();
            let (stdout, stderr) = (process.stdout(), process.stderr());
            let (mut output, errors) = futures::join!(read(stdout), read(stderr));
            output.push_str(&errors);
            let status = match status {
                Some(status) => status.await,
                None => None,
            };
            let success = status.is_some_and(|status| status.status.as_deref() == Some("Success"));
            Ok(PodCommandResult { success, output })
        };
        self.limited(&ApiCall::get(what.clone()), run)
            .await
            .map_err(|e| e.during(what))
    }

    /// The last lines that a container has printed.
    pub async fn log(&self, container: &Container, lines: usize) -> Result<String, ApiError> {
        let Container { namespace, pod, name } = container;
        let path = format!(
            "/api/v1/namespaces/{namespace}/pods/{pod}/log?container={name}&tailLines={lines}&limitBytes=1048576"
        );
        self.text(ApiCall::get(path)).await
    }

    /// What a container has printed in the last seconds.
    pub async fn recent_log(&self, container: &Container, seconds: u32) -> Result<String, ApiError> {
        let Container { namespace, pod, name } = container;
        let path = format!(
            "/api/v1/namespaces/{namespace}/pods/{pod}/log?container={name}&sinceSeconds={seconds}&limitBytes=1048576"
        );
        self.text(ApiCall::get(path)).await
    }

    /// Writes annotations of a pod, which makes its node look at it at once instead of within a minute.
    pub async fn annotate_pod(&self, container: &Container, key: &str, value: &str) -> Result<(), ApiError> {
        let path = format!(
            "/api/v1/namespaces/{}/pods/{}",
            container.namespace, container.pod
        );
        let change = serde_json::json!({"metadata": {"annotations": {key: value}}});
        self.text(ApiCall::merge(path, &change)).await.map(drop)
    }
}

/// All of a stream; what breaks it shows in the command's status.
async fn read(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        let _ = stream.take(LONGEST).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
