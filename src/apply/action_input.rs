//! What an action needs to know before it can be written: which host runs `kubeadm init`, or the credentials to join it.

use crate::event::Failure;
use crate::plan::Milestone;
use crate::recovery;
use crate::resource::{
    ActionInput, ActionRequirement, HostState, JoinCredentials, NodeState, RESTORE_ARCHIVE,
};

use super::bootstrap_decision::BootstrapRole;
use super::host_track::{HostTrackRun, Stopped};
use super::{AccessError, ApiAccess, failure, stale};

impl HostTrackRun<'_> {
    /// What the action of a step needs to know: which host runs `kubeadm init`, or the credentials to join it.
    pub(super) async fn known(&self, index: usize, seen: &HostState) -> Result<ActionInput, Stopped> {
        if self.steps[index].resource.node_state(seen) == Some(NodeState::Member) {
            // It is in already and only has to be fixed: no credentials, and nothing of it is stale.
            return Ok(ActionInput::Nothing);
        }
        let access_failed = |error| self.fail(index, failure::access(&error));
        match self.steps[index].resource.wants() {
            ActionRequirement::Nothing => Ok(ActionInput::Nothing),
            ActionRequirement::Bundle => self.bundle().await.map_err(|failure| self.fail(index, failure)),
            ActionRequirement::WorkerCredentials => {
                let access = self.run.access().await.map_err(access_failed)?;
                self.check_lock(index)?;
                let credentials = self.worker_credentials(access).await.map_err(access_failed)?;
                Ok(ActionInput::Join(credentials))
            }
            ActionRequirement::ControlPlane => {
                let duty = self.run.bootstrap.duty(self.name).await;
                let duty =
                    duty.map_err(|why| self.fail(index, failure::refused(&self.steps[index].head, &why)))?;
                if duty == BootstrapRole::Init {
                    return Ok(ActionInput::Init);
                }
                // One that joins waits for the others' API server; its own will only come after.
                self.run.give_up(
                    self.name,
                    &Milestone::ApiServer,
                    "no control plane has an API server that answers",
                );
                self.wait(index, &[Milestone::ApiServer]).await?;
                let access = self.run.access().await.map_err(access_failed)?;
                self.check_lock(index)?;
                let credentials = self
                    .control_plane_credentials(access)
                    .await
                    .map_err(access_failed)?;
                Ok(ActionInput::Join(credentials))
            }
        }
    }

    /// Brings the bundle to the host. Its step is planned only where there is one.
    async fn bundle(&self) -> Result<ActionInput, Failure> {
        if let Some(payload) = &self.run.options.restore {
            recovery::upload(&*self.host, self.name, RESTORE_ARCHIVE, &*payload.archive)
                .await
                .map_err(|error| failure::recovery(&error))?;
        }
        Ok(ActionInput::Nothing)
    }

    async fn worker_credentials(&self, access: &ApiAccess) -> Result<JoinCredentials, AccessError> {
        self.forget_node(access).await?;
        self.run
            .join_credentials
            .worker(access, &self.run.options.endpoint)
            .await
    }

    async fn control_plane_credentials(&self, access: &ApiAccess) -> Result<JoinCredentials, AccessError> {
        self.forget_node(access).await?;
        stale::forget_etcd_member(access, self.address()).await?;
        self.run
            .join_credentials
            .control_plane(access, &self.run.options.endpoint)
            .await
    }

    /// Takes out what a lost machine of this name left in the cluster.
    async fn forget_node(&self, access: &ApiAccess) -> Result<(), AccessError> {
        let restored = self.run.options.restore.is_some();
        stale::forget_node(&access.api, self.name, self.address(), restored).await
    }

    fn address(&self) -> &str {
        self.run
            .options
            .addresses
            .get(self.name)
            .map_or("", String::as_str)
    }
}
