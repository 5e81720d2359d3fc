//! A build: an agent pod comes for it, works, and goes away.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;

use super::agent_pods::SAID;
use super::controller;
use super::smoke_build::SmokeBuild;
use crate::cluster_resource::JenkinsWorkload;
use crate::jenkins::{JenkinsClient, inline_pipeline_xml};
use crate::model::{self, Cluster, PodSecurity};
use crate::verify::check::{Check, CheckProblem};
use crate::verify::{CLUSTER, VerifiedCluster};

/// What the names of our jobs begin with; the time in seconds follows, by which what was left behind is known.
const PREFIX: &str = "ci-bootstrap-verify-";
/// The first agent's image may have to be pulled over a slow line.
const LIMIT: Duration = Duration::from_secs(600);

/// A build on the agents that take builds without a wish.
pub(super) struct Smoke {
    place: JenkinsWorkload,
    /// Namespace and name of the agents, and a label by which a build asks for them.
    namespace: String,
    agent: String,
    label: String,
    /// Most pods of all agents of the namespace, and of those of this name.
    caps: (usize, usize),
    /// Whether their pods stay for later builds.
    stays: bool,
    /// Nodes on which builds may run.
    workers: Vec<String>,
}

impl Smoke {
    pub(super) fn from_cluster(cluster: &Cluster, jenkins: &model::Jenkins) -> Self {
        let agents = &jenkins.agents;
        let template = agents
            .templates
            .iter()
            .find(|template| template.level == PodSecurity::Restricted)
            .or(agents.templates.first());
        let name = template.map(|template| template.name.clone()).unwrap_or_default();
        let cap = agents.cap as usize;
        let own = template
            .and_then(|template| template.cap)
            .map_or(cap, |cap| cap as usize);
        let workers = cluster.hosts.iter().filter(|host| host.roles.worker);
        Self {
            place: JenkinsWorkload::from_jenkins(jenkins),
            namespace: template.map_or_else(
                || agents.places.namespace.clone(),
                |template| template.namespace.clone(),
            ),
            label: template
                .and_then(|template| template.labels.first().cloned())
                .unwrap_or_else(|| name.clone()),
            agent: name,
            caps: (cap, own),
            stays: template.is_some_and(|template| template.idle > 0),
            workers: workers.map(|host| host.name.to_string()).collect(),
        }
    }

    /// What the job does: says where it is, writes into its workspace and reads it back. The mark is put together by the
    /// agent's shell, so that it stands in the log only when that shell has read the file.
    fn script(&self, mark: &str) -> String {
        format!(
            "node('{}') {{\n  sh 'id; echo \"{SAID}$NODE_NAME\"'\n  writeFile file: 'probe.txt', text: '{mark}'\n  sh 'echo \"read back: $(cat probe.txt)\"'\n}}\n",
            self.label
        )
    }

    async fn run(&self, site: &VerifiedCluster) -> Result<String, CheckProblem> {
        let api = site.api().await?;
        let jenkins = self.place.client(api).await?;
        let now = now();
        let others = remove_leftovers(&jenkins, now).await?;
        let job = format!("{PREFIX}{now}");
        let xml = inline_pipeline_xml(
            "Made by `ci-bootstrap verify`, which deletes it again.",
            &self.script(&job),
        );
        jenkins.create_job(&job, &xml).await?;
        let build = SmokeBuild {
            api,
            jenkins: &jenkins,
            controller: self.place.container(),
            job: &job,
            namespace: &self.namespace,
            agent: &self.agent,
            caps: self.caps,
        };
        let result = build.run(&self.workers).await;
        // Also after a failure, which is in the log by now; and before the pod goes, which takes longer.
        let deleted = jenkins.delete_job(&job).await;
        let passed = result?;
        deleted?;
        let said = build.end(&passed, self.stays).await?;
        remove_ended(&jenkins, others).await?;
        Ok(said)
    }
}

/// Jobs of verifications that were killed long ago. Gives those of others whose build has ended: who made them is about to delete
/// them, or was killed as well.
async fn remove_leftovers(jenkins: &JenkinsClient, now: u64) -> Result<Vec<String>, CheckProblem> {
    let mut ended = Vec::new();
    for name in jenkins.job_names().await? {
        let made = name
            .strip_prefix(PREFIX)
            .and_then(|time| time.parse::<u64>().ok());
        let Some(made) = made else { continue };
        if now.saturating_sub(made) > LIMIT.as_secs() {
            jenkins.delete_job(&name).await?;
        } else if jenkins.has_ended(&name).await? {
            ended.push(name);
        }
    }
    Ok(ended)
}

/// Jobs whose build had ended before a whole build of ours: nobody deletes them any more.
async fn remove_ended(jenkins: &JenkinsClient, ended: Vec<String>) -> Result<(), CheckProblem> {
    for name in ended {
        jenkins.delete_job(&name).await?;
    }
    Ok(())
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

impl Check for Smoke {
    fn name(&self) -> String {
        "smoke build".to_owned()
    }

    fn place(&self) -> &str {
        CLUSTER
    }

    fn needs(&self) -> &'static [&'static str] {
        &[controller::NAME]
    }

    fn limit(&self) -> Duration {
        // A little more than its own limits, so that these tell what is wrong.
        LIMIT + Duration::from_secs(180)
    }

    fn run<'a>(&'a self, site: &'a VerifiedCluster) -> BoxFuture<'a, Result<String, CheckProblem>> {
        Box::pin(self.run(site))
    }
}
