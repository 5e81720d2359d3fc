//! What the place asks for: registries, firewall, SELinux, time, proxy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Secret;
use crate::yaml::Spanned;

/// A container registry that needs something special on the hosts.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistrySpec {
    /// The registry as it stands in image names: `host` or `host:port`.
    #[schemars(example = &"harbor.ci.example")]
    pub name: Spanned<String>,
    /// Addresses that are asked first for images of this registry.
    #[serde(default)]
    #[schemars(example = &["https://harbor.ci.example/v2/dockerhub"])]
    pub mirrors: Vec<Spanned<String>>,
    /// The CA that signed the registry's certificate, and that of its mirrors.
    pub ca: Option<Ca>,
    /// Do not check the registry's certificate.
    #[serde(default)]
    pub insecure: Spanned<bool>,
    /// The login with which nodes and agents pull from it, and agents push to it.
    pub credentials: Option<LoginSpec>,
    /// An image in it that `verify` pulls on every node. Without it: one that the cluster is made of, where the registry has it.
    #[schemars(example = &"harbor.ci.example/ci/base:1.0")]
    pub image: Option<Spanned<String>>,
    /// For a Harbor of version 2.2 or later: the project and the robot account of `credentials` are made in it where they are missing.
    pub harbor: Option<HarborSpec>,
}

impl RegistrySpec {
    /// Every secret that it names.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Spanned<Secret>> {
        let admin = self.harbor.as_ref().map(|harbor| &harbor.admin);
        let logins = self.credentials.iter().chain(admin);
        logins.map(|login| &login.password)
    }
}

/// A project of Harbor and its robot account, which is the login under `credentials`: `robot$PROJECT+NAME`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HarborSpec {
    /// The project. A missing one is made, for its members only; one that is there stays as it is.
    #[schemars(example = &"ci")]
    pub project: Spanned<String>,
    /// Who makes both. This login stays with this program: no host and no pod gets to know it.
    pub admin: LoginSpec,
}

/// A user and a password.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoginSpec {
    /// Login name.
    #[schemars(example = &"robot$ci")]
    pub username: Spanned<String>,
    /// Password or token.
    #[serde(skip_serializing)]
    pub password: Spanned<Secret>,
}

/// A certificate authority.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ca {
    /// Certificate in PEM form, relative to the inventory.
    #[schemars(example = &"harbor-ca.crt")]
    pub file: Spanned<String>,
}

/// What to do about the firewall of the hosts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Firewall {
    /// Open what the cluster needs in firewalld or ufw where one of them is active.
    #[default]
    Managed,
    /// Stop firewalld and ufw and keep them from starting.
    Off,
    /// Leave it alone: someone else opens the ports.
    Ignore,
}

/// What to do about SELinux.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SelinuxSpec {
    /// Enforcing, on hosts that have SELinux.
    Enforcing,
    /// Permissive, on hosts that have SELinux.
    Permissive,
    /// As it is on each host.
    #[default]
    Ignore,
}

/// Time synchronisation of the hosts.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TimeSpec {
    /// Install and run chrony where no other time service runs.
    pub manage: Spanned<bool>,
    /// NTP servers. Without any: those of the distribution.
    pub servers: Vec<Spanned<String>>,
}

impl Default for TimeSpec {
    fn default() -> Self {
        Self {
            manage: true.into(),
            servers: Vec::new(),
        }
    }
}

/// The HTTP proxy through which hosts and builds reach the outside.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ProxySpec {
    /// Proxy for `http://` addresses.
    #[schemars(example = &"http://proxy.ci.example:3128")]
    pub http: Option<Spanned<String>>,
    /// Proxy for `https://` addresses.
    pub https: Option<Spanned<String>>,
    /// Names, domains and networks that are reached directly. The hosts and the cluster's own networks are added.
    pub no_proxy: Vec<Spanned<String>>,
}
