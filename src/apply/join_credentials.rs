//! Join credentials: created on first use, shared, and deleted when the run ends.

use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{Mutex, OnceCell};

use crate::cluster_api::BootstrapToken;
use crate::resource::{JoinCredentials, upload_certificates};
use crate::secret::Redactor;
use crate::transport::Script;

use super::access::{AccessError, ApiAccess, failed};

/// A token lives this long if the run can't delete it.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
const LIMIT: Duration = Duration::from_secs(60);

/// The join credentials of one run.
#[derive(Default)]
pub(super) struct JoinCredentialCache {
    token: OnceCell<BootstrapToken>,
    certificate_key: Mutex<Option<SecretString>>,
}

impl JoinCredentialCache {
    /// Join credentials for a worker.
    pub(super) async fn worker(
        &self,
        access: &ApiAccess,
        endpoint: &str,
    ) -> Result<JoinCredentials, AccessError> {
        let token = self
            .token
            .get_or_try_init(|| access.api.create_token(LIFETIME))
            .await?;
        let ca_hash = access
            .kubeconfig
            .ca_hashes()?
            .into_iter()
            .next()
            .unwrap_or_default();
        Ok(JoinCredentials {
            endpoint: endpoint.to_owned(),
            token: token.value.clone(),
            ca_hash,
            certificate_key: None,
        })
    }

    /// Join credentials for a control plane: certificates are uploaded once, under a key that is not shown.
    pub(super) async fn control_plane(
        &self,
        access: &ApiAccess,
        endpoint: &str,
    ) -> Result<JoinCredentials, AccessError> {
        let mut credentials = self.worker(access, endpoint).await?;
        let mut known = self.certificate_key.lock().await;
        if known.is_none() {
            let key = random_key()?;
            Redactor::process().learn(&key.clone().into());
            let output = access
                .host
                .exec(Script::new(upload_certificates(&key), LIMIT))
                .await?;
            if !output.success() {
                return Err(failed(
                    &access.host_name,
                    "uploading the control plane's certificates",
                    &output.stderr,
                ));
            }
            *known = Some(key.into());
        }
        credentials.certificate_key.clone_from(&known);
        Ok(credentials)
    }

    /// Deletes the token, and those of runs that could not.
    pub(super) async fn delete_token(&self, access: &ApiAccess) -> Result<(), AccessError> {
        if self.token.get().is_some() {
            for token in access.api.left_tokens().await? {
                access.api.delete_token(&token.id).await?;
            }
        }
        Ok(())
    }
}

/// 32 random bytes in hex, as kubeadm wants a certificate key.
fn random_key() -> Result<String, AccessError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| AccessError::Api(error.to_string()))?;
    Ok(hex::encode(bytes))
}
