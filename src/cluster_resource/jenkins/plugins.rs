//! Plugins that must be there and work.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::{JenkinsWorkload, if_up};
use crate::cluster_api::Api;
use crate::cluster_resource::{ClusterResource, ClusterStepError, ProgressSink};
use crate::jenkins::broken_plugins;
use crate::model;
use crate::resource::{Change, Comparison};

/// How long a controller whose pod is ready may not be reached, and how often is tried.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_secs(1);
/// Lines of the controller's log among which it tells why a plugin does not load.
const LINES: usize = 5000;
/// Most of them that are shown.
const SHOWN: usize = 10;

/// The plugins of the inventory.
#[derive(Debug)]
pub(in crate::cluster_resource) struct Plugins {
    place: JenkinsWorkload,
    names: Vec<String>,
}

impl Plugins {
    pub(in crate::cluster_resource) fn from_jenkins(jenkins: &model::Jenkins) -> Self {
        let names = jenkins.plugins.list.iter().map(|plugin| plugin.name.clone());
        Self {
            place: JenkinsWorkload::from_jenkins(jenkins),
            names: names.collect(),
        }
    }

    async fn problems(&self, api: &Api) -> Result<Vec<String>, ClusterStepError> {
        let found = self.place.client(api).await?.plugins().await?;
        Ok(broken_plugins(self.names.iter().map(String::as_str), &found))
    }

    /// The problems, once Jenkins answers: its pod is ready before the way to it is there on every node.
    async fn problems_when_up(&self, api: &Api) -> Result<Vec<String>, ClusterStepError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.problems(api).await;
            if Instant::now() >= deadline {
                return answer;
            }
            if let Some(problems) = if_up(answer)? {
                return Ok(problems);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What Jenkins said about plugins when it started.
    async fn log(&self, api: &Api) -> Vec<String> {
        let container = self.place.container();
        // Without the log the problems alone have to do.
        let log = api.log(&container, LINES).await.unwrap_or_default();
        let lines = log.lines().map(str::trim);
        let about = lines.filter(|line| {
            line.contains("Failed Loading plugin")
                || line.starts_with("- Plugin is missing")
                || line.starts_with("- Update required")
                || line.starts_with("- Failed to load")
        });
        about.take(SHOWN).map(|line| format!("log: {line}")).collect()
    }
}

impl ClusterResource for Plugins {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async move {
            Ok(match if_up(self.problems(api).await)? {
                None => Comparison::Differs(Change::new("Jenkins does not answer yet")),
                Some(problems) if problems.is_empty() => Comparison::InSync,
                Some(problems) => Comparison::Differs(Change::new(problems.join(", "))),
            })
        })
    }

    fn act<'a>(
        &'a self,
        api: &'a Api,
        _say: ProgressSink<'a>,
    ) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move {
            // What Jenkins did not load when it started it does not load later.
            let mut problems = self.problems_when_up(api).await?;
            if problems.is_empty() {
                return Ok(());
            }
            problems.extend(self.log(api).await);
            Err(ClusterStepError::Plugins(problems))
        })
    }

    fn only_waits(&self) -> bool {
        true
    }
}
