//! Jenkins at a glance.

use serde::{Deserialize, Serialize};

use super::client::{Jenkins, parse};
use super::error::JenkinsError;

/// Version, queue and agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// Version of Jenkins, such as `2.568.2`.
    pub version: String,
    /// Whether it lets no new build begin, because somebody prepares it for a restart.
    pub quieting_down: bool,
    /// Why each waiting build waits, in Jenkins' words.
    pub queue: Vec<String>,
    /// Names of the agents that are connected or on their way.
    pub agents: Vec<String>,
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

impl Jenkins {
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
        let queue: Queue = self.json("/queue/api/json?tree=items[why]").await?;
        let why = |waiting: Waiting| waiting.why.unwrap_or_else(|| "is about to begin".to_owned());
        Ok(Overview {
            version,
            quieting_down: root.quieting_down,
            queue: queue.items.into_iter().map(why).collect(),
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
