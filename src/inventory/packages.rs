//! The `packages` section.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::yaml::{Entries, Spanned};

/// Where packages come from.
///
/// The repositories `kubernetes` and `containerd` have defaults (pkgs.k8s.io and download.docker.com); an entry of the
/// same name replaces them, entries with other names are added. `${ID}` and `${VERSION_CODENAME}` stand for what
/// `/etc/os-release` of the host says.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PackagesSpec {
    /// Repositories of hosts with apt (Debian, Ubuntu).
    pub apt: Entries<AptRepositorySpec>,
    /// Repositories of hosts with dnf (RHEL, Rocky, Alma, Fedora).
    pub rpm: Entries<RpmRepositorySpec>,
    /// Keep kubeadm, kubelet, kubectl and containerd from being upgraded by anything else.
    pub hold: Spanned<bool>,
}

impl Default for PackagesSpec {
    fn default() -> Self {
        Self {
            apt: Entries::default(),
            rpm: Entries::default(),
            hold: true.into(),
        }
    }
}

/// An apt repository.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AptRepositorySpec {
    /// Its address.
    pub url: Spanned<String>,
    /// Its suite; `/` for a flat repository.
    #[schemars(example = &"${VERSION_CODENAME}")]
    pub suite: Spanned<String>,
    /// Its components; none for a flat repository.
    #[serde(default)]
    pub components: Vec<Spanned<String>>,
    /// The key that signs it.
    pub key: Spanned<KeySpec>,
}

/// A repository for dnf.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RpmRepositorySpec {
    /// Its base address; dnf's `$releasever` and `$basearch` work.
    pub url: Spanned<String>,
    /// The key that signs it.
    pub key: Spanned<KeySpec>,
}

/// An OpenPGP key: a file, or a URL together with the fingerprint that what comes from there must have.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KeySpec {
    /// Armoured key file, relative to the inventory.
    pub file: Option<Spanned<String>>,
    /// Address of the armoured key.
    pub url: Option<Spanned<String>>,
    /// Fingerprint of the primary key: 40 hexadecimal digits. Needed with `url`.
    pub fingerprint: Option<Spanned<String>>,
}
