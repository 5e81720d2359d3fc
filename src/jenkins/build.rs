//! Builds: from the queue to the log.

use std::time::Duration;

use http::header::LOCATION;
use serde::Deserialize;

use super::client::{JenkinsClient, PostBody, parse, segment};
use super::error::JenkinsError;

/// A build that has been asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueItem {
    /// Why it waits, in Jenkins' words; nothing when it does not.
    pub why: Option<String>,
    /// Whether it was taken out of the queue.
    pub cancelled: bool,
    /// The build's number, once it has begun.
    pub build: Option<u32>,
}

/// A build that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Build {
    /// Whether it still runs.
    pub building: bool,
    /// `SUCCESS`, `FAILURE`, `ABORTED`, `UNSTABLE`; nothing while it runs.
    pub result: Option<String>,
    /// Milliseconds; 0 while it runs.
    duration: u64,
}

impl Build {
    /// How long it took; zero while it runs.
    pub fn took(&self) -> Duration {
        Duration::from_millis(self.duration)
    }
}

/// As Jenkins tells it: a waiting item has `why`, one that left the queue the two others.
#[derive(Deserialize)]
struct QueueItemAnswer {
    why: Option<String>,
    #[serde(default)]
    cancelled: bool,
    executable: Option<QueueItemBuild>,
}

#[derive(Deserialize)]
struct QueueItemBuild {
    number: u32,
}

impl JenkinsClient {
    /// Asks for a build at once; gives its number in the queue.
    pub async fn start_build(&self, job: &str) -> Result<u64, JenkinsError> {
        let path = format!("/job/{}/build?delay=0sec", segment(job));
        let answer = self.post(&path, PostBody::Nothing).await?;
        let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        // The host in it is the one that we asked for; only the number says something.
        let number = location.and_then(|url| url.trim_end_matches('/').rsplit('/').next()?.parse().ok());
        number.ok_or_else(|| JenkinsError::NotUnderstood {
            call: format!("POST /job/{job}/build"),
            reason: format!("no queue item in its Location {location:?}"),
        })
    }

    /// What has become of a build that was asked for. Jenkins forgets it five minutes after it has begun.
    pub async fn queue_item(&self, number: u64) -> Result<QueueItem, JenkinsError> {
        let item: QueueItemAnswer = self.json(&format!("/queue/item/{number}/api/json")).await?;
        Ok(QueueItem {
            why: item.why,
            cancelled: item.cancelled,
            build: item.executable.map(|executable| executable.number),
        })
    }

    /// How a build goes.
    pub async fn build(&self, job: &str, number: u32) -> Result<Build, JenkinsError> {
        self.json(&format!(
            "/job/{}/{number}/api/json?tree=building,result,duration",
            segment(job)
        ))
        .await
    }

    /// Whether the job's last build is over; not where the job is gone, or has not been built yet.
    pub async fn has_ended(&self, job: &str) -> Result<bool, JenkinsError> {
        let path = format!(
            "/job/{}/lastBuild/api/json?tree=building,result,duration",
            segment(job)
        );
        let Some(answer) = self.find(&path).await? else {
            return Ok(false);
        };
        Ok(!parse::<Build>(&path, &answer)?.building)
    }

    /// What a build has printed so far.
    pub async fn build_log(&self, job: &str, number: u32) -> Result<String, JenkinsError> {
        Ok(self
            .get(&format!("/job/{}/{number}/consoleText", segment(job)))
            .await?
            .body)
    }
}
