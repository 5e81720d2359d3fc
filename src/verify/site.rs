//! What checks look at: the inventory's cluster, its hosts, its API server.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;

use super::check::CheckProblem;
use crate::apply::{AccessError, ApiAccess};
use crate::cluster_api::Api;
use crate::fleet::Fleet;
use crate::model::Cluster;
use crate::transport::{Script, ScriptOutput, Transport};

/// The cluster of an inventory and the ways to it.
#[derive(Debug)]
pub struct VerifiedCluster {
    pub(super) cluster: Arc<Cluster>,
    fleet: Arc<Fleet>,
    api: OnceCell<Result<Api, AccessError>>,
}

impl VerifiedCluster {
    /// The site of a valid inventory. Nothing is connected to yet.
    pub fn new(cluster: Arc<Cluster>, fleet: Arc<Fleet>) -> Self {
        Self {
            cluster,
            fleet,
            api: OnceCell::new(),
        }
    }

    /// The API server, through the first control plane that leads to it.
    pub(super) async fn api(&self) -> Result<&Api, CheckProblem> {
        let api = self.api.get_or_init(|| self.open()).await;
        api.as_ref().map_err(|error| CheckProblem::from(error.clone()))
    }

    async fn open(&self) -> Result<Api, AccessError> {
        let mut last = AccessError::Api("the inventory has no control plane".to_owned());
        for host in self.cluster.control_planes() {
            match ApiAccess::open(&self.fleet, host.name.as_str()).await {
                Ok(access) => return Ok(access.api),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The connection to a host.
    pub(super) async fn host(&self, name: &str) -> Result<Arc<dyn Transport>, CheckProblem> {
        Ok(self.fleet.host(name).await?)
    }

    /// Runs a script as root on a host; whether it succeeded is the caller's to judge.
    pub(super) async fn exec(
        &self,
        host: &str,
        script: String,
        limit: Duration,
    ) -> Result<ScriptOutput, CheckProblem> {
        let connection = self.host(host).await?;
        Ok(connection.exec(Script::new(script, limit)).await?)
    }
}
