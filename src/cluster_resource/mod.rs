//! Desired things in the cluster, seen and changed through its API server. One file per kind.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cluster_api::{Api, ApiError, CalicoError, Explanation, ReleaseError, RolloutError};
use crate::harbor::HarborError;
use crate::jenkins::{DiffError, JenkinsError};
use crate::model::{Cluster, Host};
use crate::resource::Comparison;
use crate::transport::Transport;

mod calico;
mod cordon;
mod csi_driver;
mod dns_spread;
mod generated_secret;
mod harbor_robot;
mod hardening;
mod image_build;
mod jenkins;
mod kube_proxy;
mod manifest;
mod node_labels;
mod node_ready;
mod pod_network_ready;
mod restored;
mod rollout;
mod settings;
mod storage_class;

pub use jenkins::JenkinsWorkload;

/// Says what is going on during long work.
pub type ProgressSink<'a> = &'a (dyn Fn(String) + Send + Sync);

/// Why something in the cluster could not be seen or changed.
#[derive(Debug, thiserror::Error)]
pub enum ClusterStepError {
    /// The API server refused or could not be asked.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Something does not become ready.
    #[error(transparent)]
    Rollout(#[from] RolloutError),
    /// An image of one's own that can't be built.
    #[error("{image} was not built\n{explanation}")]
    Build {
        /// Its name.
        image: String,
        /// What keeps its Job.
        explanation: Box<Explanation>,
    },
    /// Calico can't be set up as the inventory asks.
    #[error(transparent)]
    Calico(#[from] CalicoError),
    /// A release manifest can't be had.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// Jenkins refused or could not be asked.
    #[error(transparent)]
    Jenkins(#[from] JenkinsError),
    /// Harbor refused or could not be asked.
    #[error(transparent)]
    Harbor(#[from] HarborError),
    /// A job of Jenkins that can't be compared.
    #[error(transparent)]
    Job(#[from] DiffError),
    /// Jenkins came up without plugins that it needs.
    #[error("Jenkins runs without plugins that it needs\n{}", .0.join("\n"))]
    Plugins(Vec<String>),
    /// There is no login for Jenkins.
    #[error("{secret} has no `{key}`, with which to log in to Jenkins")]
    NoLogin {
        /// The Secret that should have it.
        secret: String,
        /// The entry.
        key: String,
    },
    /// A pod that does not get to see a change of its files.
    #[error("the node has not brought these files into Jenkins' pod within {limit:?}: {}", files.join(", "))]
    NotMounted {
        /// Their paths.
        files: Vec<String>,
        /// How long we waited.
        limit: std::time::Duration,
    },
}

/// One kind of thing in the cluster.
pub trait ClusterResource: fmt::Debug + Send + Sync {
    /// What would have to change. Must not change anything.
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>>;

    /// Makes the change.
    fn act<'a>(&'a self, api: &'a Api, say: ProgressSink<'a>) -> BoxFuture<'a, Result<(), ClusterStepError>>;

    /// Whether it changes nothing and only waits until something is so.
    fn only_waits(&self) -> bool {
        false
    }
}

/// One kind of thing in a registry. It is asked through a host, which may be bare: nodes pull with what is made here.
pub trait RegistryResource: fmt::Debug + Send + Sync {
    /// What would have to change. Must not change anything.
    fn observe<'a>(
        &'a self,
        host: &'a Arc<dyn Transport>,
    ) -> BoxFuture<'a, Result<Comparison, ClusterStepError>>;

    /// Makes the change.
    fn act<'a>(
        &'a self,
        host: &'a Arc<dyn Transport>,
        say: ProgressSink<'a>,
    ) -> BoxFuture<'a, Result<(), ClusterStepError>>;
}

/// What a step that is done by requests wants.
#[derive(Debug)]
pub enum DesiredResource {
    /// Something in the cluster.
    Cluster(Box<dyn ClusterResource>),
    /// Something in a registry.
    Registry(Box<dyn RegistryResource>),
}

impl DesiredResource {
    /// Whether it changes nothing and only waits until something is so.
    pub fn only_waits(&self) -> bool {
        match self {
            Self::Cluster(resource) => resource.only_waits(),
            Self::Registry(_) => false,
        }
    }
}

/// A playbook asks a cluster kind for what it can't give.
#[derive(Debug, thiserror::Error)]
pub enum ClusterKindError {
    /// No such kind.
    #[error("there is no kind `{0}`")]
    Unknown(String),
    /// A kind for one host, in a playbook for the cluster.
    #[error("kind `{0}` belongs into a playbook for hosts")]
    NeedsHost(String),
    /// A kind for Jenkins, and the inventory has none.
    #[error("kind `{0}` needs `jenkins` in the inventory: put `when: cluster.jenkins` before it")]
    NeedsJenkins(String),
    /// Wrong fields.
    #[error("kind `{kind}`: {reason}")]
    Fields {
        /// The kind.
        kind: String,
        /// What is wrong with them.
        reason: serde_json::Error,
    },
    /// A text that is no manifest.
    #[error("its objects can't be read: {0}")]
    Manifest(#[from] crate::yaml::YamlError),
    /// A text that is no object of Kubernetes.
    #[error("{0}")]
    Object(#[from] ApiError),
}

const KINDS: [&str; 20] = [
    "calico",
    "clusterSettings",
    "cordon",
    "csiDriver",
    "dnsSpread",
    "generatedSecret",
    "imageBuild",
    "jenkinsConfiguration",
    "jenkinsJobs",
    "jenkinsPlugins",
    "jenkinsReady",
    "kubeProxy",
    "manifest",
    "nodeLabels",
    "nodeReady",
    "podNetworkReady",
    "restored",
    "rollout",
    "storageClass",
    "uncordon",
];

/// Whether a playbook's word names a kind of this module.
pub fn is_kind(name: &str) -> bool {
    KINDS.contains(&name)
}

/// The resource that a playbook asks for.
///
/// # Errors
/// When there is no such kind or the fields are not its own.
pub fn resource(
    kind: &str,
    fields: Value,
    cluster: &Cluster,
    host: Option<&Host>,
) -> Result<Box<dyn ClusterResource>, ClusterKindError> {
    let host = || host.ok_or_else(|| ClusterKindError::NeedsHost(kind.to_owned()));
    let jenkins = || {
        cluster
            .jenkins
            .as_ref()
            .ok_or_else(|| ClusterKindError::NeedsJenkins(kind.to_owned()))
    };
    Ok(match kind {
        "calico" => Box::new(calico::CalicoResource::from_cluster(cluster)),
        "cordon" => Box::new(read::<cordon::Cordon>(kind, fields)?),
        "csiDriver" => Box::new(csi_driver::CsiDriver::from_cluster(cluster)),
        "dnsSpread" => Box::new(dns_spread::DnsSpread::from_host(host()?)),
        "generatedSecret" => Box::new(read::<generated_secret::GeneratedSecret>(kind, fields)?),
        "imageBuild" => Box::new(image_build::ImageBuild::from_fields(
            read(kind, fields)?,
            &cluster.registries,
        )?),
        "kubeProxy" => Box::new(kube_proxy::KubeProxyResource::from_cluster(cluster)),
        "nodeLabels" => Box::new(node_labels::NodeLabels::from_host(host()?)),
        "nodeReady" => Box::new(node_ready::NodeReady::from_host(host()?)),
        "podNetworkReady" => Box::new(pod_network_ready::PodNetworkReady::from_host(host()?)),
        "clusterSettings" => Box::new(settings::InitSettings::from_cluster(cluster)),
        "jenkinsConfiguration" => {
            let place = JenkinsWorkload::from_jenkins(jenkins()?);
            Box::new(jenkins::Configuration::of(place, read(kind, fields)?)?)
        }
        "jenkinsJobs" => Box::new(jenkins::Jobs::from_jenkins(jenkins()?)),
        "jenkinsPlugins" => Box::new(jenkins::Plugins::from_jenkins(jenkins()?)),
        "jenkinsReady" => Box::new(jenkins::Ready(JenkinsWorkload::from_jenkins(jenkins()?))),
        "manifest" => Box::new(manifest::ManifestResource::from_fields(read(kind, fields)?)?),
        "restored" => Box::new(restored::Restored::from_fields(read(kind, fields)?, cluster)),
        "rollout" => Box::new(read::<rollout::Rollout>(kind, fields)?),
        "storageClass" => Box::new(storage_class::StorageClassResource::from_fields(read(
            kind, fields,
        )?)?),
        "uncordon" => Box::new(read::<cordon::Uncordon>(kind, fields)?),
        other => return Err(ClusterKindError::Unknown(other.to_owned())),
    })
}

/// The resource of a registry that a playbook asks for.
///
/// # Errors
/// When there is no such kind or the fields are not its own.
pub fn registry_resource(kind: &str, fields: Value) -> Result<Box<dyn RegistryResource>, ClusterKindError> {
    match kind {
        "harborRobot" => Ok(Box::new(harbor_robot::HarborRobot::from_fields(read(
            kind, fields,
        )?))),
        other => Err(ClusterKindError::Unknown(other.to_owned())),
    }
}

fn read<T: DeserializeOwned>(kind: &str, fields: Value) -> Result<T, ClusterKindError> {
    serde_json::from_value(fields).map_err(|reason| ClusterKindError::Fields {
        kind: kind.to_owned(),
        reason,
    })
}
