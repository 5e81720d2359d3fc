//! Jenkins as its users see it: where it is, how to log in, how it is, and what to do with it.

mod password;
mod waiting;

use clap::Subcommand;
use serde::Serialize;

use super::{CommandFailure, Exit};
use crate::cluster_api::Api;
use crate::cluster_resource::JenkinsWorkload;
use crate::jenkins::Overview;
use crate::model::{Cluster, Jenkins};
use waiting::Waiting;

/// Log in to Jenkins.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  ci-bootstrap jenkins password inventory.yaml")]
pub(super) struct Args {
    #[command(subcommand)]
    command: JenkinsCommand,
}

#[derive(Debug, Subcommand)]
enum JenkinsCommand {
    Password(password::Args),
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    match &args.command {
        JenkinsCommand::Password(args) => password::run(args),
    }
}

/// What `status` tells of Jenkins.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JenkinsStatus {
    url: String,
    #[serde(flatten)]
    overview: Option<Overview>,
    /// What keeps builds from their pods.
    waiting: Option<Waiting>,
    /// Why it could not be asked.
    #[serde(skip)]
    pub(super) problem: Option<String>,
}

impl JenkinsStatus {
    /// Asks Jenkins, if the inventory has one.
    pub(super) async fn ask(cluster: &Cluster, api: &Api) -> Option<Self> {
        let jenkins = cluster.jenkins.as_ref()?;
        let asked = async {
            let client = JenkinsWorkload::from_jenkins(jenkins).client(api).await?;
            Ok::<_, crate::cluster_resource::ClusterStepError>(client.overview().await?)
        };
        let (overview, waiting) = futures::join!(asked, Waiting::ask(jenkins, api));
        let problems = [
            overview.as_ref().err().map(ToString::to_string),
            waiting.as_ref().err().map(ToString::to_string),
        ];
        Some(Self {
            url: jenkins.url.clone(),
            overview: overview.ok(),
            waiting: waiting.ok(),
            problem: problems.into_iter().flatten().next(),
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
        for build in &overview.queue {
            text.push_str(&format!("  waiting: {build}\n"));
        }
        if let Some(waiting) = &self.waiting {
            text.push_str(&waiting.text());
        }
        if let Some(note) = plain_http(&self.url) {
            text.push_str(&format!("  {note}\n"));
        }
        text
    }
}

/// What is said of an address at which passwords and sessions pass in clear text.
fn plain_http(url: &str) -> Option<&'static str> {
    url.starts_with("http://").then_some(
        "note: plain HTTP: whoever listens on the way reads passwords; see \"Reach it by HTTPS\" in docs/jenkins.md",
    )
}

/// What a user wants to know who has just got a Jenkins. `inventory` stands in commands, which can be pasted.
pub(super) fn welcome(jenkins: &Jenkins, inventory: &str) -> String {
    let Jenkins {
        url, admin, agents, ..
    } = jenkins;
    let password = match &admin.password {
        Some(reference) => format!("the one from {reference}"),
        None => format!("ci-bootstrap jenkins password {inventory}"),
    };
    let label = agents
        .templates
        .iter()
        .find_map(|template| template.labels.first());
    let label = label.map_or("jnlp", String::as_str);
    let note = plain_http(url).map_or_else(String::new, |note| format!("  {note}\n"));
    format!(
        "
Jenkins is at {url}
  user      {}
  password  {password}
{note}What next?
  a job     put its repository under jenkins.jobs in {inventory}, and apply again
  a build   begin its Jenkinsfile with: pipeline {{ agent {{ label '{label}' }} …
  a look    ci-bootstrap status {inventory}
  kubectl   ci-bootstrap kubeconfig {inventory} --output ci.kubeconfig && kubectl --kubeconfig ci.kubeconfig get nodes
",
        admin.username
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::path::Path;

    use super::*;
    use crate::cli::inventory_file;
    use crate::jenkins::QueuedBuild;

    #[test]
    fn status_says_why_builds_wait() {
        let status = JenkinsStatus {
            url: "https://jenkins.ci.example/".to_owned(),
            overview: Some(Overview {
                version: "2.568.2".to_owned(),
                quieting_down: false,
                queue: vec![QueuedBuild {
                    name: "part of shop #3".to_owned(),
                    why: "Waiting for next available executor".to_owned(),
                }],
                agents: Vec::new(),
            }),
            waiting: Some(Waiting::default()),
            problem: None,
        };
        assert_eq!(
            status.text(),
            "\nJenkins 2.568.2 at https://jenkins.ci.example/: 1 build waiting, 0 agents running\n  waiting: part of shop #3: Waiting for next available executor\n"
        );
        let plain = JenkinsStatus {
            url: "http://10.0.0.11:30080/".to_owned(),
            ..status
        };
        assert!(plain.text().contains("plain HTTP"), "{}", plain.text());
    }

    #[test]
    fn the_commands_of_the_welcome_can_be_pasted() {
        let source = crate::diagnostic::Source {
            name: "inventory.yaml".to_owned(),
            text: "apiVersion: ci-bootstrap/v1\ncluster: { name: ci, kubernetes: 1.36.4 }\nssh: { user: root }\n\
                   hosts: [{ name: cp1, address: 10.0.0.11, roles: [control-plane, worker] }]\njenkins: {}\n"
                .to_owned(),
        };
        let document = crate::inventory::parse(source, Path::new("."));
        let cluster = crate::model::validate(&document)
            .map_err(|_| "not valid")
            .unwrap()
            .cluster;
        let inventory = inventory_file::argument(Path::new("my sites/a'b.yaml"));
        let said = welcome(cluster.jenkins.as_ref().unwrap(), &inventory);
        let commands: Vec<_> = said
            .lines()
            .filter_map(|line| line.split_once("  ci-bootstrap "))
            .map(|(_, rest)| shlex::split(rest).unwrap())
            .collect();
        assert_eq!(commands.len(), 3, "{said}");
        for command in &commands {
            assert!(command.contains(&"my sites/a'b.yaml".to_owned()), "{command:?}");
        }
        assert!(said.contains("plain HTTP") && !said.contains("base64"), "{said}");
    }
}
