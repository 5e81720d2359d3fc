//! Waits until Jenkins is up, and says why it does not come up.

use std::time::Duration;

use futures::future::BoxFuture;

use super::JenkinsWorkload;
use crate::cluster_api::{Api, Object};
use crate::cluster_resource::{ClusterResource, ClusterStepError, ProgressSink, rollout};
use crate::jenkins::{JenkinsError, boot_failure};
use crate::resource::Comparison;

/// Images and plugins have to be fetched, and a first start takes minutes on a slow volume.
const PATIENCE: Duration = Duration::from_secs(900);
/// How often the log is looked at for the end of a start.
const LOOK: Duration = Duration::from_secs(5);
/// Lines of the log that are looked at: a stack trace of Jenkins has some hundred.
const LINES: usize = 600;

/// Longest time that a pod takes to go.
const GONE: Duration = Duration::from_secs(180);

/// A controller that must be up.
#[derive(Debug)]
pub(in crate::cluster_resource) struct Ready(pub(in crate::cluster_resource) JenkinsWorkload);

impl Ready {
    /// Gives a pod that has failed again and again a fresh start: what kept it may have been fixed outside of the cluster,
    /// and Kubernetes would wait up to five minutes with its next try.
    async fn start_anew(&self, api: &Api, say: ProgressSink<'_>) -> Result<(), ClusterStepError> {
        let id = self.0.container().pod_id();
        if api.read(&id).await?.is_some_and(|pod| has_failed(&pod)) {
            say("the pod has failed before: it is restarted".to_owned());
            api.delete(&id, GONE).await?;
        }
        Ok(())
    }

    /// Ends only when the log tells that Jenkins has given up: its process runs on then, and would never be ready.
    async fn boot_failure(&self, api: &Api) -> ClusterStepError {
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

/// Whether a container of the pod has failed and has no next try yet, to start or to pull its image.
fn has_failed(pod: &Object) -> bool {
    let of = |field: &str| pod["status"][field].as_array().into_iter().flatten();
    let failed = |state: &Object| {
        let reason = state["waiting"]["reason"].as_str().unwrap_or_default();
        // Some seconds pass until an end is called a back-off.
        reason.ends_with("BackOff")
            || state["terminated"]["exitCode"]
                .as_i64()
                .is_some_and(|code| code != 0)
    };
    of("initContainerStatuses")
        .chain(of("containerStatuses"))
        .any(|status| failed(&status["state"]))
}

impl ClusterResource for Ready {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(rollout::observe(api, self.0.target()))
    }

    fn act<'a>(&'a self, api: &'a Api, say: ProgressSink<'a>) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move {
            let target = self.0.target();
            self.start_anew(api, say).await?;
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_that_waits_for_its_next_try_is_known() {
        let of =
            |state: Object| has_failed(&json!({"status": {"initContainerStatuses": [{"state": state}]}}));
        let waiting = |reason: &str| of(json!({"waiting": {"reason": reason}}));
        assert!(waiting("CrashLoopBackOff") && waiting("ImagePullBackOff") && !waiting("PodInitializing"));
        let ended = |code: i32| of(json!({"terminated": {"exitCode": code}}));
        assert!(ended(78) && !ended(0) && !has_failed(&json!({})));
    }
}
