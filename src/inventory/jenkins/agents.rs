//! Pods in which builds run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ResourcesSpec;
use crate::yaml::{Entries, Spanned};

/// Pods in which builds run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AgentsSpec {
    /// Namespace of the pods. Whoever may write a Jenkinsfile can mount every Secret of it. Without it: Jenkins'
    /// namespace followed by `-agents`.
    #[schemars(example = &"kube-ops-agents")]
    pub namespace: Option<Spanned<String>>,
    /// Namespace of pods of the kind `kaniko`, and of those that build `images`; made only when there are such.
    /// Without it: Jenkins' namespace followed by `-builders`.
    #[schemars(example = &"kube-ops-builders")]
    pub builder_namespace: Option<Spanned<String>>,
    /// Namespace of pods whose users can become root on a node; made only when there are such. Without it: Jenkins' namespace
    /// followed by `-privileged`.
    #[schemars(example = &"kube-ops-privileged")]
    pub privileged_namespace: Option<Spanned<String>>,
    /// Most pods at a time in each of these namespaces.
    pub cap: Spanned<u32>,
    /// Image of the agent itself, with its tag or digest. Its Java must be as new as the controller's.
    pub image: Spanned<String>,
    /// Connect through the controller's HTTP port instead of a port of its own; needed only where something between
    /// them lets nothing else through.
    pub websocket: Spanned<bool>,
    /// Kinds of pods. The first also takes builds that ask for no label.
    pub templates: Spanned<Vec<AgentTemplateSpec>>,
}

impl Default for AgentsSpec {
    fn default() -> Self {
        Self {
            namespace: None,
            builder_namespace: None,
            privileged_namespace: None,
            cap: 10.into(),
            image: "docker.io/jenkins/inbound-agent:3385.vf1123fb_515da_-1-jdk21".into(),
            websocket: false.into(),
            templates: vec![AgentTemplateSpec::jnlp()].into(),
        }
    }
}

/// What an agent's pod brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AgentKind {
    /// The agent alone.
    Jnlp,
    /// A container `maven`.
    Maven,
    /// A container `docker` that uses the Docker Engine of its node. Whoever uses it is root on that node.
    Docker,
    /// A container `docker` with a Docker Engine of its own, which is privileged.
    Dind,
    /// A container `kaniko`, which builds images as root, but without privileges.
    Kaniko,
    /// A container `buildkit`, which builds images without being root.
    Buildkit,
}

/// One kind of pod.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentTemplateSpec {
    /// Its name: lower-case letters, digits and `-`. Pods are named after it.
    #[schemars(example = &"maven")]
    pub name: Spanned<String>,
    /// What it brings along.
    pub kind: Option<Spanned<AgentKind>>,
    /// Instead of `kind`, a template of yours for the pod, relative to the inventory. docs/jenkins.md says how to begin.
    #[schemars(example = &"agents/mine.yaml.j2")]
    pub file: Option<Spanned<String>>,
    /// Labels by which builds ask for it. Without any: its name.
    #[serde(default)]
    pub labels: Vec<Spanned<String>>,
    /// Image of the container that the kind brings along; for `jnlp`, of the agent itself.
    pub image: Option<Spanned<String>>,
    /// `ServiceAccount` of the pod, in its namespace. Without it: `jenkins-agent`, which may do nothing.
    pub service_account: Option<Spanned<String>>,
    /// What the container that the kind brings along asks for and may use.
    #[serde(default)]
    pub resources: ResourcesSpec,
    /// Labels that the pod's node must have.
    #[serde(default)]
    pub node_selector: Entries<Spanned<String>>,
    /// Taints of nodes that don't keep the pod away.
    #[serde(default)]
    pub tolerations: Vec<TolerationSpec>,
    /// What is mounted into all its containers.
    #[serde(default)]
    pub volumes: Vec<Spanned<Volume>>,
    /// Size of a volume that all pods of this template share, at `/cache`. `maven` keeps its repository there.
    #[schemars(example = &"20Gi")]
    pub cache: Option<Spanned<String>>,
    /// Most pods of this template at a time. Without it: as many as `agents.cap` allows.
    pub cap: Option<Spanned<u32>>,
    /// Longest time until the agent is connected; pulling its images is part of it. Without it: `10m`.
    #[schemars(example = &"10m")]
    pub connect_timeout: Option<Spanned<String>>,
    /// How long a pod stays after its build for the next one, in whole minutes. Without it: not at all.
    #[schemars(example = &"5m")]
    pub idle: Option<Spanned<String>>,
    /// Longest life of a pod. Without it: as long as its build.
    #[schemars(example = &"4h")]
    pub deadline: Option<Spanned<String>>,
    /// For a template of yours: whether it needs the namespace for privileged pods.
    #[serde(default)]
    pub privileged: Spanned<bool>,
}

impl AgentTemplateSpec {
    fn jnlp() -> Self {
        Self {
            name: "jnlp".into(),
            kind: Some(AgentKind::Jnlp.into()),
            file: None,
            labels: Vec::new(),
            image: None,
            service_account: None,
            resources: ResourcesSpec::default(),
            node_selector: Entries::default(),
            tolerations: Vec::new(),
            volumes: Vec::new(),
            cache: None,
            cap: None,
            connect_timeout: None,
            idle: None,
            deadline: None,
            privileged: false.into(),
        }
    }
}

/// A taint of nodes that doesn't keep a pod away.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TolerationSpec {
    /// Key of the taint.
    #[schemars(example = &"dedicated")]
    pub key: Spanned<String>,
    /// Value of the taint. Without it: any.
    pub value: Option<Spanned<String>>,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`. Without it: all of them.
    pub effect: Option<Spanned<String>>,
}

/// Something that is mounted into an agent's containers: exactly one of `claim`, `configMap`, `secret` and `hostPath`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Volume {
    /// Where it is mounted.
    #[schemars(example = &"/data")]
    pub path: Spanned<String>,
    /// Name of a `PersistentVolumeClaim` in the pod's namespace.
    pub claim: Option<Spanned<String>>,
    /// Name of a `ConfigMap` in the pod's namespace.
    pub config_map: Option<Spanned<String>>,
    /// Name of a Secret in the pod's namespace.
    pub secret: Option<Spanned<String>>,
    /// A path on the node; only for templates in the namespace for privileged pods.
    pub host_path: Option<Spanned<String>>,
    /// Whether it can only be read.
    #[serde(default)]
    pub read_only: Spanned<bool>,
}
