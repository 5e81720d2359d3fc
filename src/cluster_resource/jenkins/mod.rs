//! Jenkins in the cluster: where it is, how to log in, and the kinds of steps that talk to it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret as _, SecretString};

use super::ClusterStepError;
use crate::cluster_api::{Api, Container, Object, ObjectId, RolloutKind, RolloutTarget};
use crate::jenkins::{JenkinsClient, JenkinsError};
use crate::model;
use crate::secret::Redactor;

mod configuration;
mod jobs;
mod loaded;
mod mounted;
mod plugins;
mod ready;
mod taken_out;

pub(super) use configuration::Configuration;
pub(super) use jobs::Jobs;
pub(super) use plugins::Plugins;
pub(super) use ready::Ready;

/// Name of the Service, the `StatefulSet` and its container.
const NAME: &str = "jenkins";
/// Name of the Service's port for HTTP.
const PORT: &str = "http";

/// Jenkins, as the playbook of this program makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JenkinsWorkload {
    namespace: String,
    username: String,
}

impl JenkinsWorkload {
    /// Where the inventory has Jenkins.
    pub fn from_jenkins(jenkins: &model::Jenkins) -> Self {
        Self {
            namespace: jenkins.namespace.clone(),
            username: jenkins.admin.username.clone(),
        }
    }

    /// The controller's `StatefulSet`.
    pub fn target(&self) -> RolloutTarget {
        RolloutTarget::new(RolloutKind::StatefulSet, &self.namespace, NAME)
    }

    /// The controller's container.
    pub fn container(&self) -> Container {
        Container {
            namespace: self.namespace.clone(),
            pod: format!("{NAME}-0"),
            name: NAME.to_owned(),
        }
    }

    /// Its REST API, with the administrator's login.
    pub async fn client(&self, api: &Api) -> Result<JenkinsClient, ClusterStepError> {
        let http = async { Ok(api.service(&self.namespace, NAME, PORT).await?) };
        let (http, password) = futures::try_join!(http, self.password(api))?;
        Ok(JenkinsClient::new(http, &self.username, &password))
    }

    /// The administrator's password, as the cluster keeps it.
    pub async fn password(&self, api: &Api) -> Result<SecretString, ClusterStepError> {
        self.secret(api, "jenkins-admin", "password").await
    }

    /// Lets Jenkins load its files again.
    async fn reload(&self, api: &Api) -> Result<(), ClusterStepError> {
        let (jenkins, token) = futures::try_join!(
            self.client(api),
            self.secret(api, "jenkins-reload-token", "token")
        )?;
        Ok(jenkins.reload(token.expose_secret()).await?)
    }

    async fn secret(&self, api: &Api, name: &str, key: &str) -> Result<SecretString, ClusterStepError> {
        let id = ObjectId::new("v1", "Secret", Some(&self.namespace), name);
        let secret = api.read(&id).await?.unwrap_or_default();
        let text = secret_entry(&secret, key).ok_or_else(|| ClusterStepError::NoLogin {
            secret: id.to_string(),
            key: key.to_owned(),
        })?;
        let secret = SecretString::from(text);
        Redactor::process().learn(&secret);
        Ok(secret)
    }
}

/// One entry of a Secret.
fn secret_entry(secret: &Object, key: &str) -> Option<String> {
    let bytes = BASE64.decode(secret["data"][key].as_str()?).ok()?;
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

/// The answer, or nothing where Jenkins can't be asked: it has not been set up yet, does not run, or starts.
fn if_up<T>(answer: Result<T, ClusterStepError>) -> Result<Option<T>, ClusterStepError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(
            ClusterStepError::NoLogin { .. }
            | ClusterStepError::Jenkins(JenkinsError::Unreachable { .. } | JenkinsError::Starting),
        ) => Ok(None),
        Err(ClusterStepError::Api(error)) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
