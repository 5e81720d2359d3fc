//! The `ssh` sections: for all hosts, for one host, for a jump host.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::{Inventory, JenkinsSpec, RegistrySpec};
use crate::diagnostic::Span;
use crate::secret::SecretRef;
use crate::yaml::Spanned;

/// How to log in.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Ssh {
    /// Login name. Needed, unless `sshConfig` is on.
    #[schemars(example = &"admin")]
    pub user: Option<Spanned<String>>,
    /// Port of the SSH server. Without it: 22.
    pub port: Option<Spanned<u16>>,
    /// Private keys, relative to the inventory; `~/` is the home directory.
    #[schemars(example = &["~/.ssh/id_ed25519"])]
    pub identities: Option<Vec<Spanned<String>>>,
    /// Whether keys of a running `ssh-agent` are tried. Without it: yes.
    pub agent: Option<Spanned<bool>>,
    /// Login password, for servers that take no key.
    #[serde(skip_serializing)]
    pub password: Option<Spanned<Secret>>,
    /// Passphrase of the private keys.
    #[serde(skip_serializing)]
    pub passphrase: Option<Spanned<Secret>>,
    /// Files with known host keys, as OpenSSH writes them; `trust` records into the first. Without it: what `sshConfig` leads to, or OpenSSH's
    /// own (`~/.ssh/known_hosts`, `/etc/ssh/ssh_known_hosts`, and the same with `2` at the end).
    pub known_hosts: Option<Vec<Spanned<String>>>,
    /// Fingerprints of accepted host keys, `SHA256:…`; with them, `knownHosts` is not asked.
    pub fingerprints: Option<Vec<Spanned<String>>>,
    /// Whether `~/.ssh/config` is obeyed for what is not written here: address, port, user, keys, certificates, agent, jump hosts, and whose
    /// host keys are known or revoked. A host that is not on record is refused, whatever `StrictHostKeyChecking` says. Without it: no.
    pub ssh_config: Option<Spanned<bool>>,
    /// A host through which the connection goes.
    pub jump: Option<Spanned<JumpSpec>>,
    /// How commands are run as root. Without it: `passwordless`, or `none` for the user root.
    #[serde(skip_serializing)]
    pub sudo: Option<Spanned<SudoSpec>>,
    /// Longest time to connect and log in. Without it: `20s`.
    #[schemars(example = &"20s")]
    pub connect_timeout: Option<Spanned<String>>,
}

/// A host through which connections go. What is not written here is as for the hosts behind it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JumpSpec {
    /// Name or address, or the name of a host of this inventory, which is then reached as that host is.
    #[schemars(example = &"bastion.ci.example")]
    pub host: Spanned<String>,
    /// Login name.
    pub user: Option<Spanned<String>>,
    /// Port of the SSH server. Without it: 22.
    pub port: Option<Spanned<u16>>,
    /// Private keys.
    pub identities: Option<Vec<Spanned<String>>>,
    /// Login password.
    #[serde(skip_serializing)]
    pub password: Option<Spanned<Secret>>,
    /// Passphrase of the private keys.
    #[serde(skip_serializing)]
    pub passphrase: Option<Spanned<Secret>>,
    /// Fingerprints of accepted host keys.
    pub fingerprints: Option<Vec<Spanned<String>>>,
}

/// How commands are run as root.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SudoSpec {
    /// `sudo` asks for no password.
    Passwordless,
    /// The login user is root.
    None,
    /// `sudo` asks for this password.
    Password(Spanned<Secret>),
}

/// A secret: where it comes from, never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// Where it comes from.
    Reference(SecretRef),
    /// Someone wrote it into the file; what was written is not kept.
    PlainText,
}

/// Where secrets stand in the file that should not.
pub(super) fn plain_secrets(inventory: &Inventory) -> Vec<Span> {
    let sections = std::iter::once(&inventory.ssh).chain(inventory.hosts.iter().map(|host| &host.ssh));
    let secrets = sections.flat_map(|ssh| {
        let sudo = ssh.sudo.as_ref().and_then(|sudo| match &sudo.value {
            SudoSpec::Password(password) => Some(password),
            _ => None,
        });
        let jump = ssh
            .jump
            .iter()
            .flat_map(|jump| [&jump.password, &jump.passphrase]);
        [&ssh.password, &ssh.passphrase]
            .into_iter()
            .chain(jump)
            .flatten()
            .chain(sudo)
    });
    let jenkins = inventory.jenkins.iter().flat_map(JenkinsSpec::secrets);
    let registries = inventory.registries.iter().flat_map(RegistrySpec::secrets);
    secrets
        .chain(jenkins)
        .chain(registries)
        .filter(|secret| secret.value == Secret::PlainText)
        .map(|secret| secret.span)
        .collect()
}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        SecretRef::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        SecretRef::json_schema(generator)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = Secret;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a reference to a secret, such as `{ env: NAME }`")
            }
            fn visit_str<E>(self, _: &str) -> Result<Secret, E> {
                Ok(Secret::PlainText)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Secret, E> {
                Ok(Secret::PlainText)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Secret, E> {
                Ok(Secret::PlainText)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Secret, A::Error> {
                SecretRef::deserialize(MapAccessDeserializer::new(map)).map(Secret::Reference)
            }
        }
        deserializer.deserialize_any(Written)
    }
}
