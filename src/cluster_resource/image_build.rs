//! An image that a Job builds from a folder of the inventory and pushes. The Job stays: it is the record of what was built. Whether the image
//! is still there, its registry says.

use std::time::Duration;

use futures::future::BoxFuture;
use secrecy::SecretString;
use serde::Deserialize;

use super::manifest::ManifestTexts;
use super::{ClusterKindError, ClusterResource, ClusterStepError, ProgressSink};
use crate::cluster_api::{Api, Object, ObjectId, RolloutError, RolloutKind, RolloutTarget, http, https};
use crate::harbor::TaggedImage;
use crate::model::Registry;
use crate::resource::{Change, Comparison};

/// The annotation of the Job that says what it builds from.
const DIGEST: &str = "ci-bootstrap/digest";
/// How long a build may take, besides the time that the Job itself gives it.
const PATIENCE: Duration = Duration::from_secs(3660);
/// How long a Job may take to go, with its pod.
const GOING: Duration = Duration::from_secs(60);

/// What a playbook gives.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImageBuildFields {
    /// The image's name.
    image: String,
    /// Of the login that the inventory has for its registry; empty where there is none.
    password: String,
    /// The Job, with the annotation `ci-bootstrap/digest`, and what it needs.
    objects: ManifestTexts,
}

/// An image of one's own.
#[derive(Debug)]
pub(super) struct ImageBuild {
    image: String,
    /// Its registry, where it has an entry in the inventory, and the password there.
    registry: Option<Registry>,
    password: SecretString,
    objects: Vec<Object>,
    id: ObjectId,
    job: Object,
}

/// How far the build of an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BuildState {
    /// It was never built here.
    Absent,
    /// It was built from something else.
    Other,
    /// It is being built.
    Running,
    /// It is being built by another image of Kaniko, or with other registries.
    Outdated,
    /// The build has failed.
    Failed,
    Built,
    /// It was built, and somebody has deleted it in its registry.
    Gone,
}

impl ImageBuild {
    pub(super) fn from_fields(
        fields: ImageBuildFields,
        registries: &[Registry],
    ) -> Result<Self, ClusterKindError> {
        let objects = fields.objects.parse()?;
        let job = objects.iter().find(|object| object["kind"] == "Job");
        let job = job.cloned().unwrap_or_default();
        Ok(Self {
            registry: registries
                .iter()
                .find(|entry| fields.image.starts_with(&format!("{}/", entry.name)))
                .cloned(),
            password: fields.password.into(),
            image: fields.image,
            id: ObjectId::from_object(&job)?,
            job,
            objects,
        })
    }

    async fn state(&self, api: &Api) -> Result<BuildState, ClusterStepError> {
        let live = api.read(&self.id).await?;
        let state = live.map_or(BuildState::Absent, |live| build_state(&live, &self.job));
        if state == BuildState::Built && self.is_gone(api).await {
            return Ok(BuildState::Gone);
        }
        Ok(state)
    }

    /// Whether its registry says that it has it no more. A registry that can't be asked from here (for a proxy, or a login by tokens only)
    /// leaves it at what the Job says.
    async fn is_gone(&self, api: &Api) -> bool {
        let (Some(known), Some((server, image))) = (&self.registry, TaggedImage::of(&self.image)) else {
            return false;
        };
        let http = if known.plain {
            Ok(http(api.host(), server))
        } else {
            https(api.host(), server, known.ca.as_deref(), known.insecure)
        };
        let login = known.credentials.as_ref();
        let login = login.map(|login| (login.username.as_str(), &self.password));
        match http {
            Ok(http) => image.is_gone(&http, login).await,
            Err(_) => false,
        }
    }

    fn target(&self) -> RolloutTarget {
        let namespace = self.id.namespace.clone().unwrap_or_default();
        RolloutTarget::new(RolloutKind::Job, namespace, &self.id.name)
    }
}

fn digest(job: &Object) -> &str {
    job["metadata"]["annotations"][DIGEST]
        .as_str()
        .unwrap_or_default()
}

/// What a build does besides its folder. It matters only while it may still fail for it.
fn settings(job: &Object) -> [&Object; 2] {
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    [&container["image"], &container["args"]]
}

fn build_state(live: &Object, wanted: &Object) -> BuildState {
    let is = |kind: &str| {
        let conditions = live["status"]["conditions"].as_array();
        let found = conditions
            .into_iter()
            .flatten()
            .find(|found| found["type"] == kind);
        found.is_some_and(|found| found["status"] == "True")
    };
    if digest(live) != digest(wanted) {
        BuildState::Other
    } else if is("Complete") {
        BuildState::Built
    } else if is("Failed") {
        BuildState::Failed
    } else if settings(live) != settings(wanted) {
        BuildState::Outdated
    } else {
        BuildState::Running
    }
}

impl ClusterResource for ImageBuild {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async move {
            let why = match self.state(api).await? {
                BuildState::Built => return Ok(Comparison::InSync),
                BuildState::Absent => "it has not been built in this cluster",
                BuildState::Other => "its folder has changed",
                BuildState::Running => "a build is under way",
                BuildState::Outdated => "a build with other settings is under way",
                BuildState::Failed => "the last build failed",
                BuildState::Gone => "its registry does not have it any more",
            };
            let change = Change::new(format!("build {}", self.image));
            Ok(Comparison::Differs(change.with_detail(vec![format!(" {why}")])))
        })
    }

    fn act<'a>(&'a self, api: &'a Api, say: ProgressSink<'a>) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move {
            let state = self.state(api).await?;
            if matches!(
                state,
                BuildState::Other | BuildState::Failed | BuildState::Outdated | BuildState::Gone
            ) {
                // What a Job runs can't be changed.
                api.delete(&self.id, GOING).await?;
            }
            if state != BuildState::Running {
                api.apply(&self.objects).await?;
            }
            let target = self.target();
            let built = api.wait(&target, PATIENCE, |state| say(state.to_owned()));
            built.await.map_err(|error| match error {
                RolloutError::Hopeless { explanation } => ClusterStepError::Build {
                    image: self.image.clone(),
                    explanation: Box::new(explanation),
                },
                error => error.into(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job(digest: &str, image: &str) -> Object {
        json!({
            "metadata": {"annotations": {DIGEST: digest}},
            "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
        })
    }

    #[test]
    fn a_job_tells_what_it_has_built() {
        let with = |condition: &str, image: &str| {
            let mut live = job("a", image);
            live["status"] = json!({"conditions": [{"type": condition, "status": "True"}]});
            build_state(&live, &job("a", "kaniko:1"))
        };
        assert_eq!(with("Complete", "kaniko:1"), BuildState::Built);
        assert_eq!(with("Failed", "kaniko:1"), BuildState::Failed);
        assert_eq!(with("Suspended", "kaniko:1"), BuildState::Running);
        assert_eq!(
            build_state(&job("a", "kaniko:1"), &job("b", "kaniko:1")),
            BuildState::Other
        );
        assert_eq!(build_state(&json!({}), &job("b", "kaniko:1")), BuildState::Other);
    }

    #[test]
    fn other_settings_matter_to_a_build_that_has_not_ended() {
        let wanted = job("a", "kaniko:2");
        let mut live = job("a", "kaniko:1");
        assert_eq!(build_state(&live, &wanted), BuildState::Outdated);
        live["status"] = json!({"conditions": [{"type": "Complete", "status": "True"}]});
        assert_eq!(build_state(&live, &wanted), BuildState::Built);
    }
}
