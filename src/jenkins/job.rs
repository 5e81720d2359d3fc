//! Jobs: read, create, update, delete.

use serde::Deserialize;

use super::client::{JenkinsClient, PostBody, segment};
use super::error::JenkinsError;

#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl JenkinsClient {
    /// Names of the jobs at the top level.
    pub async fn job_names(&self) -> Result<Vec<String>, JenkinsError> {
        let found: Jobs = self.json("/api/json?tree=jobs[name]").await?;
        Ok(found.jobs.into_iter().map(|job| job.name).collect())
    }

    /// A job's `config.xml`, `None` if there is no such job.
    pub async fn job(&self, name: &str) -> Result<Option<String>, JenkinsError> {
        let answer = self.find(&format!("/job/{}/config.xml", segment(name))).await?;
        Ok(answer.map(|answer| answer.body))
    }

    /// Makes a job. One of that name must not exist.
    pub async fn create_job(&self, name: &str, xml: &str) -> Result<(), JenkinsError> {
        let path = format!("/createItem?name={}", segment(name));
        self.post(&path, PostBody::Xml(xml.to_owned())).await.map(drop)
    }

    /// Gives a job another configuration. Its builds stay.
    pub async fn update_job(&self, name: &str, xml: &str) -> Result<(), JenkinsError> {
        let path = format!("/job/{}/config.xml", segment(name));
        self.post(&path, PostBody::Xml(xml.to_owned())).await.map(drop)
    }

    /// Deletes a job with its builds; running ones are aborted. One that does not exist is fine.
    pub async fn delete_job(&self, name: &str) -> Result<(), JenkinsError> {
        match self
            .post(&format!("/job/{}/doDelete", segment(name)), PostBody::Nothing)
            .await
        {
            Err(JenkinsError::Refused { status: 404, .. }) => Ok(()),
            answer => answer.map(drop),
        }
    }
}
