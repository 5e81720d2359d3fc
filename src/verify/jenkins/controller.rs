//! The controller: it answers, its plugins work, and its configuration is the one that is meant.

use std::time::Duration;

use futures::future::BoxFuture;

use crate::cluster_api::{Api, ObjectId};
use crate::cluster_resource::JenkinsWorkload;
use crate::jenkins::{JenkinsClient, broken_plugins, contradictions, other_versions};
use crate::model;
use crate::verify::check::{Check, CheckProblem};
use crate::verify::{CLUSTER, VerifiedCluster, nodes};
use crate::yaml;

/// The check's name, for the build that needs it.
pub(super) const NAME: &str = "Jenkins";

const LIMIT: Duration = Duration::from_secs(120);

/// The controller of the inventory.
pub(super) struct Controller {
    place: JenkinsWorkload,
    plugins: Vec<(String, String)>,
}

impl Controller {
    pub(super) fn from_jenkins(jenkins: &model::Jenkins) -> Self {
        let plugins = jenkins.plugins.list.iter();
        Self {
            place: JenkinsWorkload::from_jenkins(jenkins),
            plugins: plugins
                .map(|plugin| (plugin.name.clone(), plugin.version.clone()))
                .collect(),
        }
    }

    /// What is wrong with its plugins, a line each.
    async fn plugins(&self, jenkins: &JenkinsClient) -> Result<Vec<String>, CheckProblem> {
        let found = jenkins.plugins().await?;
        let mut lines = broken_plugins(self.plugins.iter().map(|(name, _)| name.as_str()), &found);
        let wanted = self
            .plugins
            .iter()
            .map(|(name, version)| (name.as_str(), version.as_str()));
        lines.extend(other_versions(wanted, &found));
        Ok(lines)
    }

    /// What Jenkins' own export says against the configuration in the cluster, a line each.
    async fn configuration(&self, api: &Api, jenkins: &JenkinsClient) -> Result<Vec<String>, CheckProblem> {
        let id = ObjectId::new(
            "v1",
            "ConfigMap",
            Some(&self.place.container().namespace),
            "jenkins-configuration",
        );
        let map = api.read(&id).await?.unwrap_or_default();
        let read = |text: &str| {
            let documents = yaml::manifests(text).map_err(|error| CheckProblem::failed(error.to_string()))?;
            Ok::<_, CheckProblem>(documents.into_iter().next().unwrap_or_default())
        };
        let meant = read(map["data"]["jenkins.yaml"].as_str().unwrap_or_default())?;
        let exported = read(&jenkins.export().await?)?;
        Ok(contradictions(&meant, &exported))
    }
}

impl Check for Controller {
    fn name(&self) -> String {
        NAME.to_owned()
    }

    fn place(&self) -> &str {
        CLUSTER
    }

    fn needs(&self) -> &'static [&'static str] {
        &[nodes::NAME]
    }

    fn limit(&self) -> Duration {
        LIMIT
    }

    fn run<'a>(&'a self, site: &'a VerifiedCluster) -> BoxFuture<'a, Result<String, CheckProblem>> {
        Box::pin(async move {
            let api = site.api().await?;
            let jenkins = self.place.client(api).await?;
            let overview = jenkins.overview().await?;
            let plugins = self.plugins(&jenkins).await?;
            if !plugins.is_empty() {
                return Err(CheckProblem::failed("its plugins are not those of the inventory")
                    .with_output(&plugins.join("\n"))
                    .with_help("somebody changed them in Jenkins; delete the controller's pod, and it starts with those of the inventory"));
            }
            let differences = self.configuration(api, &jenkins).await?;
            if !differences.is_empty() {
                return Err(CheckProblem::failed("its configuration is not the one that is meant")
                    .with_output(&differences.join("\n"))
                    .with_help("somebody changed it in Jenkins; delete the controller's pod, and it starts with that of the inventory"));
            }
            if overview.quieting_down {
                return Err(
                    CheckProblem::failed("Jenkins is in quiet-down mode (preparing for shutdown)")
                        .with_help("`Cancel` on its front page ends that"),
                );
            }
            Ok(format!("version {}, configured as meant", overview.version))
        })
    }
}
