//! Credentials and jobs of Jenkins.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::inventory::Secret;
use crate::yaml::Spanned;

/// What a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CredentialKind {
    /// `username` and `password`: for Git over HTTPS, Harbor and the like.
    UsernamePassword,
    /// `token`: a secret text.
    Token,
    /// `username` and `privateKey`, with `passphrase` where the key has one: for Git over SSH.
    SshKey,
    /// `token`: of GitLab's API, for the plugin `gitlab-plugin`.
    GitlabToken,
}

/// A credential that jobs use by its id.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CredentialSpec {
    /// Its id: lower-case letters, digits and `-`.
    #[schemars(example = &"gitlab")]
    pub id: Spanned<String>,
    /// What it is.
    pub kind: Spanned<CredentialKind>,
    /// What people see of it.
    pub description: Option<Spanned<String>>,
    /// Login name.
    pub username: Option<Spanned<String>>,
    /// Password.
    #[serde(skip_serializing)]
    pub password: Option<Spanned<Secret>>,
    /// Token.
    #[serde(skip_serializing)]
    pub token: Option<Spanned<Secret>>,
    /// Private key in OpenSSH's or PEM form.
    #[serde(skip_serializing)]
    pub private_key: Option<Spanned<Secret>>,
    /// Passphrase of the private key.
    #[serde(skip_serializing)]
    pub passphrase: Option<Spanned<Secret>>,
}

impl CredentialSpec {
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Spanned<Secret>> {
        [&self.password, &self.token, &self.private_key, &self.passphrase]
            .into_iter()
            .flatten()
    }
}

/// A Pipeline whose Jenkinsfile lies in a repository.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobSpec {
    /// Its name: lower-case letters, digits and `-`.
    #[schemars(example = &"shop")]
    pub name: Spanned<String>,
    /// Address of the Git repository, with https, http or ssh.
    #[schemars(example = &"https://gitlab.ci.example/shop/shop.git")]
    pub repository: Spanned<String>,
    /// Branch.
    #[serde(default = "main_branch")]
    pub branch: Spanned<String>,
    /// Path of the Jenkinsfile in it.
    #[serde(default = "jenkinsfile")]
    pub jenkinsfile: Spanned<String>,
    /// Id of the credential to read it with.
    pub credential: Option<Spanned<String>>,
}

fn main_branch() -> Spanned<String> {
    "main".into()
}

fn jenkinsfile() -> Spanned<String> {
    "Jenkinsfile".into()
}
