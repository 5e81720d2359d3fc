//! What Jenkins is configured by: the objects that it reads, and that it has read them as they are.

use std::time::Duration;

use futures::future::BoxFuture;
use serde::Deserialize;
use tokio::time::Instant;

use super::loaded::{self, MARK, is_loaded, is_ready};
use super::taken_out::taken_out;
use super::{JenkinsWorkload, NAME, mounted};
use crate::cluster_api::{Api, Object, ObjectId};
use crate::cluster_resource::manifest::{ManifestTexts, shown};
use crate::cluster_resource::{ClusterKindError, ClusterResource, ClusterStepError, ProgressSink};
use crate::jenkins::JenkinsError;
use crate::resource::{Change, Comparison};

/// A node brings a change into a pod within a minute or so, even when nothing reminds it.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often the pod's files are looked at meanwhile.
const LOOK: Duration = Duration::from_secs(1);
/// Longest time that a pod takes to go.
const GONE: Duration = Duration::from_secs(180);

/// What a playbook gives.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cluster_resource) struct Fields {
    /// The `ConfigMap`s and Secrets that Jenkins reads, as YAML documents.
    objects: ManifestTexts,
    /// The manifest of the controller, which a later step applies: while it differs, Jenkins is about to be restarted.
    controller: ManifestTexts,
}

/// Configuration that a running Jenkins takes over without a restart.
#[derive(Debug)]
pub(in crate::cluster_resource) struct Configuration {
    place: JenkinsWorkload,
    objects: Vec<Object>,
    controller: Vec<Object>,
}

/// The controller's pod and what it reads.
struct MountedConfiguration {
    pod: Option<Object>,
    /// As they are in the cluster, in the order of the wish; those that are there.
    live: Vec<Object>,
}

impl MountedConfiguration {
    fn ready_pod(&self) -> Option<&Object> {
        self.pod.as_ref().filter(|pod| is_ready(pod))
    }

    /// Whether there is a pod that runs with something else than what is there.
    fn is_stale(&self) -> bool {
        self.pod
            .as_ref()
            .is_some_and(|pod| pod["metadata"]["deletionTimestamp"].is_null() && !is_loaded(pod, &self.live))
    }
}

impl Configuration {
    pub(in crate::cluster_resource) fn of(
        place: JenkinsWorkload,
        fields: Fields,
    ) -> Result<Self, ClusterKindError> {
        Ok(Self {
            place,
            objects: fields.objects.parse()?,
            controller: fields.controller.parse()?,
        })
    }

    async fn look(&self, api: &Api) -> Result<MountedConfiguration, ClusterStepError> {
        let ids = self
            .objects
            .iter()
            .map(ObjectId::from_object)
            .collect::<Result<Vec<_>, _>>()?;
        let pod = self.place.container().pod_id();
        let live = futures::future::try_join_all(ids.iter().map(|id| api.read(id)));
        let (pod, live) = futures::try_join!(api.read(&pod), live)?;
        Ok(MountedConfiguration {
            pod,
            live: live.into_iter().flatten().collect(),
        })
    }

    /// Whether the controller is about to be replaced, and will read everything again.
    async fn is_replaced(&self, api: &Api) -> Result<bool, ClusterStepError> {
        Ok(!api.compare(&self.controller).await?.is_empty())
    }

    /// Lets the running Jenkins try what it would be given; its own words when it refuses.
    async fn refusal(&self, api: &Api) -> Result<Option<String>, ClusterStepError> {
        let jenkins = self.place.client(api).await?;
        let maps = self.objects.iter().filter(|object| object["kind"] == "ConfigMap");
        let files = maps.flat_map(|map| map["data"].as_object().into_iter().flatten());
        for (name, content) in files {
            match jenkins.check(content.as_str().unwrap_or_default()).await {
                Ok(()) => {}
                Err(JenkinsError::Configuration(text)) => return Ok(Some(format!("in {name}: {text}"))),
                // Who can't be asked, or does not let us in, will be asked by the reload.
                Err(_) => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Names the keys that are about to go: Jenkins keeps what it has for them, also after a restart.
    async fn tell_what_stays(&self, api: &Api, say: ProgressSink<'_>) -> Result<(), ClusterStepError> {
        for wanted in self.objects.iter().filter(|object| object["kind"] == "ConfigMap") {
            let live = api
                .read(&ObjectId::from_object(wanted)?)
                .await?
                .unwrap_or_default();
            for key in taken_out(&live, wanted) {
                say(format!(
                    "{key} is no longer configured, and Jenkins keeps what it has: to change it, give it the value that it shall have"
                ));
            }
        }
        Ok(())
    }

    /// Makes Jenkins take over what is in the cluster.
    async fn load(&self, api: &Api, say: ProgressSink<'_>) -> Result<(), ClusterStepError> {
        let found = self.look(api).await?;
        if !found.is_stale() || self.is_replaced(api).await? {
            return Ok(());
        }
        let container = self.place.container();
        let Some(pod) = found.ready_pod() else {
            // It did not come up with what it read, or reads the old files just now.
            say("the controller is not ready: it is restarted with the new configuration".to_owned());
            return Ok(api.delete(&container.pod_id(), GONE).await?);
        };
        let versions = loaded::versions(&found.live);
        self.bring(api, pod, &found.live, &versions).await?;
        say("Jenkins loads its configuration".to_owned());
        self.place.reload(api).await?;
        Ok(api.annotate_pod(&container, MARK, &versions).await?)
    }

    /// Waits until the pod sees the files as they are in the cluster.
    async fn bring(
        &self,
        api: &Api,
        pod: &Object,
        live: &[Object],
        versions: &str,
    ) -> Result<(), ClusterStepError> {
        let container = self.place.container();
        let wanted = mounted::wanted(pod, NAME, live);
        let command: Vec<_> = std::iter::once("sha256sum")
            .chain(wanted.keys().map(String::as_str))
            .collect();
        let deadline = Instant::now() + PATIENCE;
        api.annotate_pod(&container, MARK, &format!("not yet {versions}"))
            .await?;
        while !wanted.is_empty() {
            let behind = mounted::behind(&wanted, &api.exec(&container, &command).await?.output);
            if behind.is_empty() {
                break;
            }
            if Instant::now() >= deadline {
                return Err(ClusterStepError::NotMounted {
                    files: behind,
                    limit: PATIENCE,
                });
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

impl ClusterResource for Configuration {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async move {
            let differences = async { Ok(api.compare(&self.objects).await?) };
            let (differences, found) = futures::try_join!(differences, self.look(api))?;
            if differences.is_empty() {
                if found.is_stale() && !self.is_replaced(api).await? {
                    return Ok(Comparison::Differs(Change::new(
                        "let Jenkins load its configuration",
                    )));
                }
                return Ok(Comparison::InSync);
            }
            if found.ready_pod().is_some()
                && !self.is_replaced(api).await?
                && let Some(refusal) = self.refusal(api).await?
            {
                return Ok(Comparison::Refused(format!(
                    "Jenkins would not load this configuration, so it keeps the one it has\n{refusal}"
                )));
            }
            let detail = differences.iter().flat_map(shown).collect();
            let summary = if found.pod.is_some() {
                "configure Jenkins, without a restart"
            } else {
                "configure Jenkins"
            };
            Ok(Comparison::Differs(Change::new(summary).with_detail(detail)))
        })
    }

    fn act<'a>(&'a self, api: &'a Api, say: ProgressSink<'a>) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move {
            self.tell_what_stays(api, say).await?;
            for difference in api.apply(&self.objects).await? {
                say(difference.id.to_string());
            }
            self.load(api, say).await
        })
    }
}
