//! Configuration as code: a dry run, the reload, and what Jenkins says its configuration is.

use http::Method;
use serde::Deserialize;

use super::client::{JenkinsClient, PostBody, message, segment, title};
use super::error::JenkinsError;
use super::page;

/// A complaint of the dry run.
#[derive(Deserialize)]
struct ConfigurationIssue {
    message: Option<String>,
}

/// How a reload by token tells that it failed: with status 200.
#[derive(Deserialize)]
struct ReloadAnswer {
    status: String,
    message: Option<String>,
}

impl JenkinsClient {
    /// Lets Jenkins read a configuration without making it its own.
    ///
    /// # Errors
    /// [`JenkinsError::Configuration`] with Jenkins' own words when it would not load.
    pub async fn check(&self, yaml: &str) -> Result<(), JenkinsError> {
        // With the content type of a form Jenkins would not read the body, and be content with anything.
        let path = "/configuration-as-code/check";
        let answer = self.answer_to_post(path, PostBody::Yaml(yaml.to_owned())).await?;
        if answer.status != 400 {
            return self.judged(&Method::POST, path, answer).map(drop);
        }
        let issues: Vec<ConfigurationIssue> = serde_json::from_str(&answer.body).unwrap_or_default();
        let messages: Vec<_> = issues.into_iter().filter_map(|issue| issue.message).collect();
        let text = if messages.is_empty() {
            message(&answer)
        } else {
            messages.join("\n")
        };
        Err(JenkinsError::Configuration(text))
    }

    /// Lets Jenkins read its configuration files again. `token` is the one that Jenkins was started with
    /// (`CASC_RELOAD_TOKEN`): a login would not do, since a changed password is among what has to be loaded.
    ///
    /// # Errors
    /// [`JenkinsError::Configuration`] when Jenkins could not load them; it may have taken some of it over.
    pub async fn reload(&self, token: &str) -> Result<(), JenkinsError> {
        let path = format!(
            "/reload-configuration-as-code/?casc-reload-token={}",
            segment(token)
        );
        let answer = self.post_as_nobody(&path).await?;
        if answer.status == 401 {
            return Err(JenkinsError::Forbidden {
                call: title(&Method::POST, &path),
                message: "it was started with another token; restart it".to_owned(),
            });
        }
        let answer = self.judged(&Method::POST, &path, answer)?;
        match serde_json::from_str::<ReloadAnswer>(&answer.body) {
            Ok(reported) if reported.status == "error" => Err(JenkinsError::Configuration(
                reported.message.unwrap_or_else(|| page::words(&answer.body)),
            )),
            _ => Ok(()),
        }
    }

    /// The configuration that Jenkins runs with, as YAML. Secrets in it are encrypted with a key of its own, and what has
    /// its default is left out.
    pub async fn export(&self) -> Result<String, JenkinsError> {
        Ok(self
            .post("/configuration-as-code/export", PostBody::Nothing)
            .await?
            .body)
    }
}
