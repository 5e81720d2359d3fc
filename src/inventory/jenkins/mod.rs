//! The `jenkins` section.

mod agents;
mod credentials;
mod plugins;

pub use agents::{AgentKind, AgentTemplateSpec, AgentsSpec, TolerationSpec, Volume};
pub use credentials::{CredentialKind, CredentialSpec, JobSpec};
pub use plugins::{PluginSource, PluginsSpec, UpdateSiteSpec};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Secret;
use crate::yaml::{Entries, Spanned};

/// Jenkins in the cluster, with its agents as pods. Without this section there is none.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct JenkinsSpec {
    /// Namespace of the controller and of everything that only it may read.
    pub namespace: Spanned<String>,
    /// Image of the controller, with its tag or digest. Releases from 2.555.1 on need one with Java 21 or 25.
    pub image: Spanned<String>,
    /// Where users reach it. Without it: the Ingress, or the first control plane's address and `nodePort`.
    #[schemars(example = &"https://jenkins.ci.example/")]
    pub url: Option<Spanned<String>>,
    /// Port, between 30000 and 32767, on which every node answers for it; `0` opens none. Agents don't need it.
    pub node_port: Spanned<u16>,
    /// An Ingress for it. The controller for Ingresses is not installed by this program.
    pub ingress: Option<IngressSpec>,
    /// The volume of its home: jobs, builds, users, plugins.
    pub storage: HomeVolumeSpec,
    /// How long builds are kept. Without it: for ever, unless a job says otherwise.
    pub keep: Option<KeepSpec>,
    /// What the controller's container asks for and may use.
    pub resources: ResourcesSpec,
    /// Options of the controller's Java machine.
    pub java_options: Spanned<String>,
    /// The administrator.
    pub admin: AdministratorSpec,
    /// Its plugins.
    pub plugins: PluginsSpec,
    /// Pods in which builds run.
    pub agents: AgentsSpec,
    /// Images of your own, for agents or as bases of others: each is built by a pod in the cluster and pushed, again when its folder has changed.
    pub images: Vec<ImageSpec>,
    /// Image of Kaniko, which builds them.
    pub image_builder: Spanned<String>,
    /// Credentials that jobs use by their id. They are kept in a Secret and read from files.
    pub credentials: Vec<Spanned<CredentialSpec>>,
    /// Files with the host keys of Git servers, as OpenSSH writes them: Jenkins and agents accept these keys and no others. Without
    /// any, each new agent accepts whatever key it is shown.
    #[schemars(example = &serde_json::json!(["git-known-hosts"]))]
    pub known_hosts: Vec<Spanned<String>>,
    /// Pipelines whose Jenkinsfile lies in a repository.
    pub jobs: Vec<JobSpec>,
    /// More configuration as code, merged into ours: your keys win, lists replace lists, and `null` takes a key out.
    #[schemars(example = &serde_json::json!({"jenkins": {"systemMessage": "hello"}}))]
    pub configuration: Spanned<serde_json::Map<String, serde_json::Value>>,
    /// Let nothing connect to agents, let only agents connect to the controller's port for them, and let agents reach neither the
    /// NFS server nor hosts, but for `NodePorts`, registries and proxies. Needs a pod network that obeys `NetworkPolicies`, as Calico does.
    pub network_policy: Spanned<bool>,
}

impl Default for JenkinsSpec {
    fn default() -> Self {
        Self {
            namespace: "kube-ops".into(),
            image: "docker.io/jenkins/jenkins:2.568.2-jdk21".into(),
            url: None,
            node_port: 30080.into(),
            ingress: None,
            storage: HomeVolumeSpec::default(),
            keep: None,
            resources: ResourcesSpec::from_pairs(&[("cpu", "500m"), ("memory", "2Gi")], &[("memory", "4Gi")]),
            java_options: "-XX:MaxRAMPercentage=60 -XX:+ExitOnOutOfMemoryError".into(),
            admin: AdministratorSpec::default(),
            plugins: PluginsSpec::default(),
            agents: AgentsSpec::default(),
            images: Vec::new(),
            image_builder: "ghcr.io/osscontainertools/kaniko:v1.28.3-debug".into(),
            credentials: Vec::new(),
            known_hosts: Vec::new(),
            jobs: Vec::new(),
            configuration: Spanned::default(),
            network_policy: true.into(),
        }
    }
}

impl JenkinsSpec {
    /// Every secret that it names.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Spanned<Secret>> {
        let credentials = self
            .credentials
            .iter()
            .flat_map(|credential| credential.secrets());
        self.admin.password.iter().chain(credentials)
    }

    /// Every file that becomes part of the cluster.
    pub(super) fn files(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.agents
            .templates
            .iter()
            .filter_map(|template| template.file.as_ref())
            .chain(&self.known_hosts)
            .chain(&self.plugins.lock)
    }
}

/// An image of your own.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageSpec {
    /// Its full name, with the registry and a tag. It is pushed with the registry's `credentials`.
    #[schemars(example = &"harbor.ci.example/ci/maven-node:1")]
    pub name: Spanned<String>,
    /// Folder with its `Dockerfile` and what that copies, relative to the inventory. Packed, it must fit into a `ConfigMap`: 1 MiB.
    #[schemars(example = &"images/maven-node")]
    pub folder: Spanned<String>,
}

/// An Ingress for Jenkins.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IngressSpec {
    /// Name under which it is reached.
    #[schemars(example = &"jenkins.ci.example")]
    pub host: Spanned<String>,
    /// Secret of the type `kubernetes.io/tls` in Jenkins' namespace; with it, the address begins with https.
    pub tls_secret: Option<Spanned<String>>,
    /// Class of the Ingress. Without it: the cluster's default class.
    #[schemars(example = &"nginx")]
    pub class: Option<Spanned<String>>,
}

/// The volume of Jenkins' home. It is kept when Jenkins is taken out of the cluster.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HomeVolumeSpec {
    /// `StorageClass`. Without it: the one of the section `storage`, or else the cluster's default class.
    #[schemars(example = &"nfs-client")]
    pub class: Option<Spanned<String>>,
    /// Size; NFS does not enforce it.
    pub size: Spanned<String>,
}

impl Default for HomeVolumeSpec {
    fn default() -> Self {
        Self {
            class: None,
            size: "50Gi".into(),
        }
    }
}

/// How long builds are kept, of every job. A job's own `buildDiscarder` may keep fewer, not more. The last build that passed stays.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeepSpec {
    /// Most builds of a job.
    #[schemars(example = &50)]
    pub builds: Option<Spanned<u32>>,
    /// Days after which a build is deleted.
    #[schemars(example = &30)]
    pub days: Option<Spanned<u32>>,
    /// Builds of a job whose artifacts are kept; of older ones only the log stays.
    #[schemars(example = &10)]
    pub artifacts: Option<Spanned<u32>>,
}

/// What a container asks for and may use, by `cpu`, `memory` and other resources of Kubernetes.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResourcesSpec {
    /// Kept free for it on its node.
    pub requests: Entries<Spanned<String>>,
    /// More than this it does not get.
    pub limits: Entries<Spanned<String>>,
}

impl ResourcesSpec {
    fn from_pairs(requests: &[(&str, &str)], limits: &[(&str, &str)]) -> Self {
        let entries = |pairs: &[(&str, &str)]| {
            Entries(
                pairs
                    .iter()
                    .map(|(key, value)| ((*key).into(), (*value).into()))
                    .collect(),
            )
        };
        Self {
            requests: entries(requests),
            limits: entries(limits),
        }
    }
}

/// The administrator of Jenkins.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AdministratorSpec {
    /// Login name.
    pub username: Spanned<String>,
    /// Password. Without it: one is generated once and kept in the Secret `jenkins-admin`.
    #[serde(skip_serializing)]
    pub password: Option<Spanned<Secret>>,
}

impl Default for AdministratorSpec {
    fn default() -> Self {
        Self {
            username: "admin".into(),
            password: None,
        }
    }
}
