//! Jenkins as it shall be.

mod agents;
mod configuration;
mod credentials;
mod images;
mod keep;
mod known_hosts;
mod names;
mod namespaces;
mod plugin_lock;
mod plugins;
mod resources;
mod volume;

use serde::Serialize;
use serde_json::{Map, Value};

use super::check::RuleContext;
use super::{Host, code, form, name, ssh};
use crate::diagnostic::Diagnostic;
use crate::inventory;
use crate::secret::SecretRef;

pub use agents::{AgentTemplate, Agents, Toleration};
pub use credentials::{Credential, CredentialSecret, Job};
pub use images::BuiltImage;
pub use keep::Keep;
pub use namespaces::{Namespaces, PodSecurity};
pub use plugin_lock::version_of_image;
pub use plugins::{Plugin, Plugins, UpdateSite};
pub use resources::Resources;
pub use volume::{Cache, Mount, PodVolume, PodVolumeSource};

/// Jenkins in the cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Jenkins {
    /// Namespace of the controller.
    pub namespace: String,
    /// Image of the controller.
    pub image: String,
    /// Where users reach it; ends with a slash.
    pub url: String,
    /// Port on which every node answers for it; 0 is none.
    pub node_port: u16,
    /// An Ingress for it.
    pub ingress: Option<Ingress>,
    /// The volume of its home.
    pub storage: HomeVolume,
    /// How long builds are kept; none is for ever.
    pub keep: Option<Keep>,
    /// What the controller's container asks for and may use.
    pub resources: Resources,
    /// Options of its Java machine.
    pub java_options: String,
    /// The administrator.
    pub admin: Administrator,
    /// Its plugins.
    pub plugins: Plugins,
    /// Pods in which builds run.
    pub agents: Agents,
    /// Images that are built in the cluster.
    pub images: Vec<BuiltImage>,
    /// Image of Kaniko, which builds them.
    pub image_builder: String,
    /// Credentials for jobs.
    pub credentials: Vec<Credential>,
    /// Host keys of Git servers, a line of `known_hosts` each; none accepts the first key that a server shows.
    pub known_hosts: Vec<String>,
    /// Pipelines from repositories.
    pub jobs: Vec<Job>,
    /// What is merged into its configuration as code (RFC 7396).
    pub configuration: Map<String, Value>,
    /// Whether `NetworkPolicies` guard agents and the controller's port for them.
    pub network_policy: bool,
}

/// An Ingress for Jenkins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ingress {
    /// Name under which it is reached.
    pub host: String,
    /// Secret with the certificate.
    pub tls_secret: Option<String>,
    /// Class; none is the cluster's default.
    pub class: Option<String>,
}

/// The volume of Jenkins' home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HomeVolume {
    /// `StorageClass`; none is that of the cluster.
    pub class: Option<String>,
    /// Size as Kubernetes writes it.
    pub size: String,
}

/// The administrator of Jenkins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Administrator {
    /// Login name.
    pub username: String,
    /// Password; without it, one is generated once and kept in the cluster.
    pub password: Option<SecretRef>,
}

impl Jenkins {
    /// The secrets that it needs.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        let credentials = self.credentials.iter().flat_map(Credential::secrets);
        self.admin.password.iter().chain(credentials)
    }
}

/// Outer `None`: something is wrong with it, and reported. Inner `None`: there is no Jenkins.
#[expect(clippy::option_option, reason = "both kinds of absence occur")]
pub(super) fn check(
    written: Option<&inventory::JenkinsSpec>,
    hosts: &[Host],
    check: &mut RuleContext<'_>,
) -> Option<Option<Jenkins>> {
    let Some(written) = written else {
        return Some(None);
    };
    let namespace = check.parse(&written.namespace, &code::BAD_NAME, "namespace", name::label);
    let image = check.parse(&written.image, &code::BAD_IMAGE, "image", form::image);
    let java = check.parse(
        &written.java_options,
        &code::BAD_WORD,
        "list of options",
        form::one_line,
    );
    node_port(written, check);
    let ingress = ingress(written.ingress.as_ref(), check);
    let url = match &written.url {
        Some(url) => check.parse(url, &code::BAD_URL, "address", form::url),
        None => Some(usual_url(written, hosts)),
    };
    let storage = storage(&written.storage, check);
    let keep = keep::check(written.keep.as_ref(), check);
    let resources = resources::check(&written.resources, check);
    let admin = administrator(&written.admin, check);
    let plugins = plugins::check(&written.plugins, &written.image.value, check);
    let agents = agents::check(written, check);
    let images = images::check(&written.images, check);
    let builder = check.parse(&written.image_builder, &code::BAD_IMAGE, "image", form::image);
    let credentials = credentials::check(&written.credentials, plugins.as_ref(), check);
    let known_hosts = known_hosts::check(&written.known_hosts, check);
    let jobs = credentials::jobs(written, check);
    users(written, check);
    configuration::check(&written.configuration, check);
    Some(Some(Jenkins {
        namespace: namespace?,
        image: image?,
        url: url?.trim_end_matches('/').to_owned() + "/",
        node_port: written.node_port.value,
        ingress: ingress?,
        storage: storage?,
        keep: keep?,
        resources: resources?,
        java_options: java?,
        admin: admin?,
        plugins: plugins?,
        agents: agents?,
        images: images?,
        image_builder: builder?,
        credentials: credentials?,
        known_hosts: known_hosts?,
        jobs: jobs?,
        configuration: written.configuration.value.clone(),
        network_policy: written.network_policy.value,
    }))
}

/// Ours lets everybody who is logged in do everything, which suits one administrator and no directory of users.
fn users(written: &inventory::JenkinsSpec, check: &mut RuleContext<'_>) {
    let ours = written.configuration.get("jenkins");
    let has = |key: &str| {
        ours.and_then(|ours| ours.get(key))
            .is_some_and(|value| !value.is_null())
    };
    if has("securityRealm") && !has("authorizationStrategy") {
        let title = "every user of this `securityRealm` would be an administrator of Jenkins";
        let problem = Diagnostic::warning(&code::EVERYBODY_ADMINISTERS, title);
        check.report(
            problem
                .at(written.configuration.span, "no `authorizationStrategy`")
                .help(
                    "name who may do what by `jenkins.authorizationStrategy`; docs/jenkins.md has an example",
                ),
        );
    }
}

fn node_port(written: &inventory::JenkinsSpec, check: &mut RuleContext<'_>) {
    let port = written.node_port.value;
    if port != 0 && !(30000..=32767).contains(&port) {
        let problem = Diagnostic::error(&code::OUT_OF_RANGE, format!("a NodePort of {port}"));
        check.report(problem.at(written.node_port.span, "0 for none, or between 30000 and 32767"));
    }
}

/// The Ingress' address, or a node's, or at least one that is right inside the cluster.
fn usual_url(written: &inventory::JenkinsSpec, hosts: &[Host]) -> String {
    if let Some(ingress) = &written.ingress {
        let scheme = if ingress.tls_secret.is_some() {
            "https"
        } else {
            "http"
        };
        return format!("{scheme}://{}", ingress.host.value);
    }
    let first = hosts.iter().find(|host| host.roles.control_plane);
    match (first, written.node_port.value) {
        (Some(host), port) if port != 0 => {
            format!("http://{}", std::net::SocketAddr::new(host.address, port))
        }
        _ => format!("http://jenkins.{}:8080", written.namespace.value),
    }
}

#[expect(clippy::option_option, reason = "both kinds of absence occur")]
fn ingress(written: Option<&inventory::IngressSpec>, check: &mut RuleContext<'_>) -> Option<Option<Ingress>> {
    let Some(written) = written else {
        return Some(None);
    };
    let host = check.parse(&written.host, &code::BAD_NAME, "host name", name::domain);
    let tls_secret = check.parse_optional(
        written.tls_secret.as_ref(),
        &code::BAD_NAME,
        "Secret",
        name::domain,
    );
    let class = check.parse_optional(written.class.as_ref(), &code::BAD_NAME, "class", name::domain);
    Some(Some(Ingress {
        host: host?,
        tls_secret: tls_secret?,
        class: class?,
    }))
}

fn storage(written: &inventory::HomeVolumeSpec, check: &mut RuleContext<'_>) -> Option<HomeVolume> {
    let class = check.parse_optional(
        written.class.as_ref(),
        &code::BAD_NAME,
        "StorageClass",
        name::domain,
    );
    let size = check.parse(&written.size, &code::BAD_QUANTITY, "size", form::quantity);
    Some(HomeVolume {
        class: class?,
        size: size?,
    })
}

fn administrator(
    written: &inventory::AdministratorSpec,
    check: &mut RuleContext<'_>,
) -> Option<Administrator> {
    let username = check.parse(&written.username, &code::BAD_WORD, "login name", names::login);
    let password = ssh::secret(written.password.as_ref(), check);
    Some(Administrator {
        username: username?,
        password: password?,
    })
}
