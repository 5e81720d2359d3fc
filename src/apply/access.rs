//! The way to the API server: through a control plane that carries the cluster, with its administrator's kubeconfig.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use crate::cluster_api::{Api, ApiError};
use crate::fleet::Fleet;
use crate::transport::{Exec, Transport, TransportError};

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
pub struct Access {
    /// The API server.
    pub api: Api,
    /// The administrator's kubeconfig, as it lies on the host.
    pub kubeconfig: SecretString,
    pub(super) host: Arc<dyn Transport>,
    pub(super) host_name: String,
}

impl Access {
    /// Reads the administrator's kubeconfig on `host_name` and connects with it.
    ///
    /// # Errors
    /// When the host can't be reached, has no kubeconfig, or the API server does not answer.
    pub async fn open(fleet: &Fleet, host_name: &str) -> Result<Self, AccessError> {
        let host = fleet.host(host_name).await?;
        let kubeconfig = read_kubeconfig(&*host, host_name).await?;
        let api = Api::connect(host.clone(), kubeconfig.expose_secret()).await?;
        Ok(Self {
            api,
            host,
            host_name: host_name.to_owned(),
            kubeconfig,
        })
    }
}

/// The administrator's kubeconfig, as kubeadm left it on a control plane.
///
/// # Errors
/// When the host can't be talked to or has none.
pub async fn read_kubeconfig(host: &dyn Transport, name: &str) -> Result<SecretString, AccessError> {
    let output = host
        .exec(Exec::new("cat /etc/kubernetes/admin.conf\n", LIMIT))
        .await?;
    if !output.success() {
        return Err(failed(name, "reading /etc/kubernetes/admin.conf", &output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned().into())
}

pub(super) fn failed(host: &str, what: &'static str, output: &[u8]) -> AccessError {
    AccessError::Command {
        host: host.to_owned(),
        what,
        output: String::from_utf8_lossy(output).trim().to_owned(),
    }
}
