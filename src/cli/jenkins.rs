//! Jenkins as its users see it: where it is, how it is, and what to do with it.

use serde::Serialize;

use crate::cluster_api::Api;
use crate::cluster_resource::JenkinsPlace;
use crate::jenkins::Overview;
use crate::model::{Cluster, Jenkins};

/// What `status` tells of Jenkins.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JenkinsStatus {
    url: String,
    #[serde(flatten)]
    overview: Option<Overview>,
    /// Why it could not be asked.
    #[serde(skip)]
    pub(super) problem: Option<String>,
}

impl JenkinsStatus {
    /// Asks Jenkins, if the inventory has one.
    pub(super) async fn ask(cluster: &Cluster, api: &Api) -> Option<Self> {
        let jenkins = cluster.jenkins.as_ref()?;
        let asked = async {
            let client = JenkinsPlace::of(jenkins).client(api).await?;
            Ok::<_, crate::cluster_resource::Error>(client.overview().await?)
        };
        let (overview, problem) = match asked.await {
            Ok(overview) => (Some(overview), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Some(Self {
            url: jenkins.url.clone(),
            overview,
            problem,
        })
    }

    /// Some lines for people.
    pub(super) fn text(&self) -> String {
        let Some(overview) = &self.overview else {
            return format!("\nJenkins at {}: cannot be asked\n", self.url);
        };
        let count = |number: usize, one: &str| match number {
            1 => format!("1 {one}"),
            number => format!("{number} {one}s"),
        };
        let mut text = format!(
            "\nJenkins {} at {}: {} waiting, {} running{}\n",
            overview.version,
            self.url,
            count(overview.queue.len(), "build"),
            count(overview.agents.len(), "agent"),
            if overview.quieting_down {
                ", lets no build begin"
            } else {
                ""
            }
        );
        for why in &overview.queue {
            text.push_str(&format!("  waiting: {why}\n"));
        }
        text
    }
}

/// What a user wants to know who has just got a Jenkins.
pub(super) fn welcome(jenkins: &Jenkins, inventory: &str) -> String {
    let Jenkins {
        url,
        namespace,
        admin,
        agents,
        ..
    } = jenkins;
    let password = match &admin.password {
        Some(reference) => format!("the one from {reference}"),
        None => format!(
            "kubectl -n {namespace} get secret jenkins-admin -o jsonpath='{{.data.password}}' | base64 -d"
        ),
    };
    let label = agents
        .templates
        .iter()
        .find_map(|template| template.labels.first());
    let label = label.map_or("jnlp", String::as_str);
    format!(
        "
Jenkins is at {url}
  user      {}
  password  {password}
What next?
  a job     put its repository under jenkins.jobs in {inventory}, and apply again
  a build   begin its Jenkinsfile with: pipeline {{ agent {{ label '{label}' }} …
  a look    ci-bootstrap status {inventory}
",
        admin.username
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_says_why_builds_wait() {
        let status = JenkinsStatus {
            url: "http://10.0.0.11:30080/".to_owned(),
            overview: Some(Overview {
                version: "2.568.2".to_owned(),
                quieting_down: false,
                queue: vec!["Waiting for next available executor".to_owned()],
                agents: Vec::new(),
            }),
            problem: None,
        };
        assert_eq!(
            status.text(),
            "\nJenkins 2.568.2 at http://10.0.0.11:30080/: 1 build waiting, 0 agents running\n  waiting: Waiting for next available executor\n"
        );
    }
}
