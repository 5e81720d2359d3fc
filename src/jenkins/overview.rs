//! Jenkins at a glance.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::client::{JenkinsClient, parse};
use super::error::JenkinsError;

/// Version, queue and agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// Version of Jenkins, such as `2.568.2`.
    pub version: String,
    /// Whether it lets no new build begin, because somebody prepares it for a restart.
    pub quieting_down: bool,
    /// The builds that wait.
    pub queue: Vec<QueuedBuild>,
    /// Names of the agents that are connected or on their way.
    pub agents: Vec<String>,
}

/// A build, or a part of one, that waits for an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueuedBuild {
    /// Its job, or `part of JOB #NUMBER` for a step of a Pipeline; empty where Jenkins names none.
    pub name: String,
    /// Why it waits, in Jenkins' words.
    pub why: String,
}

impl fmt::Display for QueuedBuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => f.write_str(&self.why),
            name => write!(f, "{name}: {}", self.why),
        }
    }
}

impl From<Waiting> for QueuedBuild {
    fn from(waiting: Waiting) -> Self {
        Self {
            name: waiting.task.name.unwrap_or_default(),
            why: waiting.why.unwrap_or_else(|| "is about to begin".to_owned()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Root {
    quieting_down: bool,
}

#[derive(Deserialize)]
struct Queue {
    items: Vec<Waiting>,
}

#[derive(Deserialize)]
struct Waiting {
    why: Option<String>,
    #[serde(default)]
    task: Task,
}

/// Not every plugin's task tells its name.
#[derive(Default, Deserialize)]
struct Task {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Computers {
    computer: Vec<Computer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Computer {
    #[serde(rename = "_class", default)]
    class: String,
    display_name: String,
}

impl JenkinsClient {
    /// Version, queue and agents.
    pub async fn overview(&self) -> Result<Overview, JenkinsError> {
        let path = "/api/json?tree=quietingDown";
        let answer = self.get(path).await?;
        let root: Root = parse(path, &answer)?;
        let version = answer
            .headers
            .get("X-Jenkins")
            .and_then(|value| value.to_str().ok());
        let version = version.unwrap_or("unknown").to_owned();
        let queue: Queue = self.json("/queue/api/json?tree=items[why,task[name]]").await?;
        Ok(Overview {
            version,
            quieting_down: root.quieting_down,
            queue: queue.items.into_iter().map(QueuedBuild::from).collect(),
            agents: self.agents().await?,
        })
    }

    /// Names of the agents; the controller itself is none.
    pub async fn agents(&self) -> Result<Vec<String>, JenkinsError> {
        let found: Computers = self.json("/computer/api/json?tree=computer[displayName]").await?;
        let agents = found
            .computer
            .into_iter()
            .filter(|computer| !computer.class.contains("MasterComputer"));
        Ok(agents.map(|computer| computer.display_name).collect())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_queued_build_says_what_it_is_and_why_it_waits() {
        let reported =
            |item: &str| QueuedBuild::from(serde_json::from_str::<Waiting>(item).unwrap()).to_string();
        let item = r#"{"_class": "hudson.model.Queue$BuildableItem", "task": {"_class": "x", "name": "part of shop #3"},
            "why": "Waiting for next available executor on \u2018maven\u2019"}"#;
        assert_eq!(
            reported(item),
            "part of shop #3: Waiting for next available executor on ‘maven’"
        );
        assert_eq!(reported(r#"{"task": {}, "why": null}"#), "is about to begin");
        assert_eq!(reported(r#"{"why": "because"}"#), "because");
    }
}
