//! A project of Harbor, and the robot account with which hosts and pods pull from it and push to it.

use std::sync::Arc;

use futures::future::BoxFuture;
use secrecy::SecretString;
use serde::Deserialize;

use super::{ClusterStepError, ProgressSink, RegistryResource};
use crate::cluster_api::https;
use crate::harbor::{HarborClient, RobotAccount};
use crate::resource::{Change, Comparison};
use crate::transport::Transport;

/// What a playbook gives.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HarborRobotFields {
    /// The registry as in image names.
    registry: String,
    /// Authorities by which its certificate is checked, in PEM form.
    ca: Option<String>,
    insecure: bool,
    admin: RegistryLogin,
    project: String,
    /// The robot account's name within the project.
    robot: String,
    /// With which it shall log in.
    login: RegistryLogin,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistryLogin {
    username: String,
    password: String,
}

/// A robot account of a Harbor.
#[derive(Debug)]
pub(super) struct HarborRobot {
    registry: String,
    ca: Option<String>,
    insecure: bool,
    admin: (String, SecretString),
    account: RobotAccount,
}

impl HarborRobot {
    pub(super) fn from_fields(fields: HarborRobotFields) -> Self {
        Self {
            registry: fields.registry,
            ca: fields.ca,
            insecure: fields.insecure,
            admin: (fields.admin.username, fields.admin.password.into()),
            account: RobotAccount {
                project: fields.project,
                robot: fields.robot,
                username: fields.login.username,
                password: fields.login.password.into(),
            },
        }
    }

    fn harbor(&self, host: &Arc<dyn Transport>) -> Result<HarborClient, ClusterStepError> {
        let http = https(host, &self.registry, self.ca.as_deref(), self.insecure)?;
        let (user, password) = &self.admin;
        Ok(HarborClient::new(http, user, password))
    }
}

impl RegistryResource for HarborRobot {
    fn observe<'a>(
        &'a self,
        host: &'a Arc<dyn Transport>,
    ) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async move {
            let missing = self.account.missing(&self.harbor(host)?).await?;
            if missing.is_empty() {
                return Ok(Comparison::InSync);
            }
            let change = Change::new(format!("set up {} in {}", self.account.username, self.registry));
            let detail = missing.into_iter().map(|missing| self.account.line(missing));
            Ok(Comparison::Differs(change.with_detail(detail.collect())))
        })
    }

    fn act<'a>(
        &'a self,
        host: &'a Arc<dyn Transport>,
        say: ProgressSink<'a>,
    ) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move {
            let harbor = self.harbor(host)?;
            for missing in self.account.missing(&harbor).await? {
                self.account.make(&harbor, missing).await?;
                say(self.account.line(missing));
            }
            Ok(())
        })
    }
}
