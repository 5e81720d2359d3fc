//! Waits until Jenkins is up, and says why it does not come up.

use std::time::Duration;

use futures::future::BoxFuture;

use super::JenkinsPlace;
use crate::cluster_api::Api;
use crate::cluster_resource::{ClusterResource, Error, Say, rollout};
use crate::jenkins::{JenkinsError, boot_failure};
use crate::resource::Verdict;

/// Images and plugins have to be fetched, and a first start takes minutes on a slow volume.
const PATIENCE: Duration = Duration::from_secs(900);
/// How often the log is looked at for the end of a start.
const LOOK: Duration = Duration::from_secs(5);
/// Lines of the log that are looked at: a stack trace of Jenkins has some hundred.
const LINES: usize = 600;

/// A controller that must be up.
#[derive(Debug)]
pub(in crate::cluster_resource) struct Ready(pub(in crate::cluster_resource) JenkinsPlace);

impl Ready {
    /// Ends only when the log tells that Jenkins has given up: its process runs on then, and would never be ready.
    async fn boot_failure(&self, api: &Api) -> Error {
        loop {
            tokio::time::sleep(LOOK).await;
            // There may be no container yet, or its image is pulled: the wait beside this one tells what is wrong.
            let log = api.log(&self.0.container(), LINES).await.unwrap_or_default();
            if let Some(cause) = boot_failure(&log) {
                return JenkinsError::BootFailed(cause).into();
            }
        }
    }
}

impl ClusterResource for Ready {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Verdict, Error>> {
        Box::pin(rollout::observe(api, self.0.target()))
    }

    fn act<'a>(&'a self, api: &'a Api, say: Say<'a>) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let target = self.0.target();
            tokio::select! {
                waited = api.wait(&target, PATIENCE, |state| say(state.to_owned())) => Ok(waited?),
                failure = self.boot_failure(api) => Err(failure),
            }
        })
    }

    fn only_waits(&self) -> bool {
        true
    }
}
