//! The way to the API server: through a control plane that carries the cluster, with its administrator's kubeconfig.

use std::sync::Arc;
use std::time::Duration;

use crate::cluster_api::{Api, ApiError, Kubeconfig};
use crate::fleet::Fleet;
use crate::secret::Redactor;
use crate::transport::{Script, Transport, TransportError};

/// Where kubeadm leaves the administrator's kubeconfig.
const ADMIN_CONF: &str = "/etc/kubernetes/admin.conf";
const LIMIT: Duration = Duration::from_secs(60);

/// Why there is no way to the API server.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AccessError {
    /// The control plane's host can't be talked to.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The API server can't be asked.
    #[error("{0}")]
    Api(String),
    /// The host's kubeconfig can't be used.
    #[error(
        "{host}: {ADMIN_CONF}: {error}\n  help: it must be as kubeadm writes it; \
         move the file away, and the next apply makes it again"
    )]
    Kubeconfig {
        /// The host.
        host: String,
        /// What is wrong with it.
        error: ApiError,
    },
    /// A command on the host failed.
    #[error("{host}: {what} failed:\n{output}")]
    Command {
        /// The host.
        host: String,
        /// What the command was for.
        what: &'static str,
        /// What it printed.
        output: String,
    },
}

impl From<ApiError> for AccessError {
    fn from(error: ApiError) -> Self {
        Self::Api(error.to_string())
    }
}

/// A way to the API server through a control plane that carries the cluster.
#[derive(Clone)]
pub struct ApiAccess {
    /// The API server.
    pub api: Api,
    /// The administrator's kubeconfig of the host.
    pub kubeconfig: Kubeconfig,
    pub(super) host: Arc<dyn Transport>,
    pub(super) host_name: String,
}

impl ApiAccess {
    /// Reads the administrator's kubeconfig on `host_name` and connects with it.
    ///
    /// # Errors
    /// When the host can't be reached, has no kubeconfig, or the API server does not answer.
    pub async fn open(fleet: &Fleet, host_name: &str) -> Result<Self, AccessError> {
        let host = fleet.host(host_name).await?;
        let kubeconfig = read_kubeconfig(&*host, host_name).await?;
        let api = Api::connect(host.clone(), &kubeconfig).await?;
        Ok(Self {
            api,
            host,
            host_name: host_name.to_owned(),
            kubeconfig,
        })
    }
}

/// The administrator's kubeconfig, as kubeadm left it on a control plane. Its key is masked from now on.
///
/// # Errors
/// When the host can't be talked to, or has none that can be used.
pub async fn read_kubeconfig(host: &dyn Transport, name: &str) -> Result<Kubeconfig, AccessError> {
    let output = host
        .exec(Script::new(format!("cat {ADMIN_CONF}\n"), LIMIT))
        .await?;
    if !output.success() {
        return Err(failed(name, "reading /etc/kubernetes/admin.conf", &output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    // Before it is parsed: it may be broken and still hold a key.
    for line in text.lines() {
        if let Some((_, key)) = line.split_once("client-key-data:") {
            Redactor::process().learn_base64(&key.trim().into());
        }
    }
    Kubeconfig::parse(&text).map_err(|error| AccessError::Kubeconfig {
        host: name.to_owned(),
        error,
    })
}

pub(super) fn failed(host: &str, what: &'static str, output: &[u8]) -> AccessError {
    AccessError::Command {
        host: host.to_owned(),
        what,
        output: String::from_utf8_lossy(output).trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use futures::FutureExt as _;

    use super::*;
    use crate::cluster_api::standin::admin_conf;
    use crate::transport::memory::MemoryHost;
    use crate::transport::{ScriptEnd, ScriptOutput};

    /// A control plane in memory whose `admin.conf` is this.
    fn control_plane(admin_conf: &str) -> Fleet {
        let text = admin_conf.to_owned();
        let dial = move |name: String| {
            let text = text.clone();
            let host = MemoryHost::new(name, move |script| {
                assert_eq!(script, "cat /etc/kubernetes/admin.conf\n");
                ScriptOutput {
                    ended: ScriptEnd::Exited(0),
                    stdout: text.clone().into_bytes(),
                    stderr: Vec::new(),
                }
            });
            async move { Ok(Arc::new(host) as Arc<dyn Transport>) }.boxed()
        };
        Fleet::new(["cp1".to_owned()], Box::new(dial))
    }

    async fn refused(admin_conf: &str) -> String {
        let opened = ApiAccess::open(&control_plane(admin_conf), "cp1").await;
        opened.map(|access| access.host_name).unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_control_plane_runs_no_command_on_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let marker = folder.path().join("marker");
        let exec = format!(
            "exec: {{apiVersion: client.authentication.k8s.io/v1, command: touch, args: ['{}'], interactiveMode: Never}}",
            marker.display()
        );
        let good = admin_conf("https://10.0.0.1:6443");
        let error = refused(&good.replace("  user:\n", &format!("  user:\n    {exec}\n"))).await;
        assert!(
            error.starts_with("cp1: /etc/kubernetes/admin.conf: ") && error.contains("`user.exec`"),
            "{error}"
        );
        assert!(!marker.exists());
    }

    #[tokio::test]
    async fn a_control_plane_reads_no_file_of_this_machine_and_gets_no_plain_connection() {
        let good = admin_conf("https://10.0.0.1:6443");
        let error = refused(&good.replace("  user:\n", "  user:\n    tokenFile: /etc/hostname\n")).await;
        assert!(error.contains("`user.tokenFile`"), "{error}");
        let error = refused(&admin_conf("http://10.0.0.1:6443")).await;
        assert!(error.contains("https://HOST:PORT"), "{error}");
        // A good one is used: the host in memory has no network.
        let error = refused(&good).await;
        assert!(error.starts_with("no way to the API server"), "{error}");
    }

    #[tokio::test]
    async fn the_key_is_masked_from_the_moment_it_is_read() {
        let good = admin_conf("https://10.0.0.1:6443");
        let key = good.split("client-key-data: ").nth(1).unwrap().trim();
        refused(&good.replace("kind: Config", "kind: [")).await;
        assert!(!Redactor::process().redact(key).contains(&key[..20]));
    }
}
