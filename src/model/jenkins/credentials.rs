//! Credentials and jobs of Jenkins.

use serde::Serialize;

use super::{Plugins, names};
use crate::diagnostic::Diagnostic;
use crate::inventory::{self, CredentialKind, Secret};
use crate::model::check::RuleContext;
use crate::model::{code, form, ssh};
use crate::secret::SecretRef;
use crate::yaml::Spanned;

/// A credential for jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// Its id.
    pub id: String,
    /// What people see of it.
    pub description: String,
    /// What it is made of.
    #[serde(flatten)]
    pub secret: CredentialSecret,
}

/// What a credential is made of; serializes with `kind`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum CredentialSecret {
    /// A login name and its password.
    UsernamePassword {
        /// Login name.
        username: String,
        /// Password.
        password: SecretRef,
    },
    /// A secret text.
    Token {
        /// The text.
        token: SecretRef,
    },
    /// A key for SSH.
    SshKey {
        /// Login name.
        username: String,
        /// Private key.
        private_key: SecretRef,
        /// Its passphrase.
        passphrase: Option<SecretRef>,
    },
    /// A token of GitLab's API.
    GitlabToken {
        /// The token.
        token: SecretRef,
    },
}

impl Credential {
    /// The secrets in it.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        let (first, second) = match &self.secret {
            CredentialSecret::UsernamePassword { password, .. } => (password, None),
            CredentialSecret::Token { token } | CredentialSecret::GitlabToken { token } => (token, None),
            CredentialSecret::SshKey {
                private_key,
                passphrase,
                ..
            } => (private_key, passphrase.as_ref()),
        };
        std::iter::once(first).chain(second)
    }
}

/// A Pipeline from a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its name.
    pub name: String,
    /// Address of the Git repository.
    pub repository: String,
    /// Branch.
    pub branch: String,
    /// Path of the Jenkinsfile.
    pub jenkinsfile: String,
    /// Id of the credential to read it with.
    pub credential: Option<String>,
}

pub(super) fn check(
    written: &[Spanned<inventory::CredentialSpec>],
    plugins: Option<&Plugins>,
    check: &mut RuleContext<'_>,
) -> Option<Vec<Credential>> {
    names::unique(
        "credentials",
        written.iter().map(|credential| &credential.id),
        check,
    );
    let gitlab = |credential: &&Spanned<inventory::CredentialSpec>| {
        credential.kind.value == CredentialKind::GitlabToken
            && plugins.is_some_and(|plugins| !plugins.has("gitlab-plugin"))
    };
    for credential in written.iter().filter(gitlab) {
        check.report(
            Diagnostic::error(
                &code::MISSING_PLUGIN,
                format!(
                    "the credential `{}` needs the plugin `gitlab-plugin`",
                    credential.id.value
                ),
            )
            .at(credential.kind.span, "")
            .help("put `gitlab-plugin` into `jenkins.plugins.pins`, with its version"),
        );
    }
    let all: Vec<_> = written
        .iter()
        .map(|credential| self::credential(credential, check))
        .collect();
    all.into_iter().collect()
}

fn credential(
    written: &Spanned<inventory::CredentialSpec>,
    check: &mut RuleContext<'_>,
) -> Option<Credential> {
    let id = check.parse(&written.id, &code::BAD_NAME, "id", names::identifier);
    keys(written, check)?;
    let username = written.username.as_ref();
    let username = username.map(|name| check.parse(name, &code::BAD_WORD, "login name", form::one_line));
    let mut secret = |written: &Option<Spanned<Secret>>| ssh::secret(written.as_ref(), check);
    let (password, token) = (secret(&written.password)?, secret(&written.token)?);
    let (key, passphrase) = (secret(&written.private_key)?, secret(&written.passphrase)?);
    let secret = match written.kind.value {
        CredentialKind::UsernamePassword => CredentialSecret::UsernamePassword {
            username: username??,
            password: password?,
        },
        CredentialKind::Token => CredentialSecret::Token { token: token? },
        CredentialKind::GitlabToken => CredentialSecret::GitlabToken { token: token? },
        CredentialKind::SshKey => CredentialSecret::SshKey {
            username: username??,
            private_key: key?,
            passphrase,
        },
    };
    let description = written.description.as_ref();
    Some(Credential {
        id: id?,
        description: description.map(|text| text.value.clone()).unwrap_or_default(),
        secret,
    })
}

/// Whether the keys are those of the kind: `None` if not, and it is reported.
fn keys(written: &Spanned<inventory::CredentialSpec>, check: &mut RuleContext<'_>) -> Option<()> {
    let (needed, allowed): (&[&str], &[&str]) = match written.kind.value {
        CredentialKind::UsernamePassword => (&["username", "password"], &[]),
        CredentialKind::Token | CredentialKind::GitlabToken => (&["token"], &[]),
        CredentialKind::SshKey => (&["username", "privateKey"], &["passphrase"]),
    };
    let keys = [
        ("username", written.username.as_ref().map(|key| key.span)),
        ("password", written.password.as_ref().map(|key| key.span)),
        ("token", written.token.as_ref().map(|key| key.span)),
        ("privateKey", written.private_key.as_ref().map(|key| key.span)),
        ("passphrase", written.passphrase.as_ref().map(|key| key.span)),
    ];
    let mut sound = true;
    for (key, span) in keys {
        let problem = match span {
            None if needed.contains(&key) => Some((written.kind.span, format!("it needs `{key}`"))),
            Some(span) if !needed.contains(&key) && !allowed.contains(&key) => {
                Some((span, format!("it has no `{key}`")))
            }
            _ => None,
        };
        if let Some((span, reason)) = problem {
            sound = false;
            let title = format!(
                "the credential `{}` has other keys than its kind",
                written.id.value
            );
            check.report(Diagnostic::error(&code::CREDENTIAL_KEYS, title).at(span, reason));
        }
    }
    sound.then_some(())
}

pub(super) fn jobs(written: &inventory::JenkinsSpec, check: &mut RuleContext<'_>) -> Option<Vec<Job>> {
    names::unique("jobs", written.jobs.iter().map(|job| &job.name), check);
    let all: Vec<_> = written
        .jobs
        .iter()
        .map(|job| self::job(job, &written.credentials, check))
        .collect();
    all.into_iter().collect()
}

fn job(
    written: &inventory::JobSpec,
    credentials: &[Spanned<inventory::CredentialSpec>],
    check: &mut RuleContext<'_>,
) -> Option<Job> {
    let name = check.parse(&written.name, &code::BAD_NAME, "job name", names::identifier);
    let repository = check.parse(&written.repository, &code::BAD_URL, "Git repository", repository);
    let branch = check.parse(&written.branch, &code::BAD_WORD, "branch", form::word);
    let jenkinsfile = check.parse(
        &written.jenkinsfile,
        &code::BAD_WORD,
        "path in a repository",
        path,
    );
    let unknown = written.credential.as_ref().filter(|id| {
        !credentials
            .iter()
            .any(|credential| credential.id.value == id.value)
    });
    if let Some(id) = unknown {
        let title = format!("the job `{}` uses an unknown credential", written.name.value);
        check.report(
            Diagnostic::error(&code::UNKNOWN_CREDENTIAL, title)
                .at(id.span, "no credential has this id")
                .help("add it to `jenkins.credentials`"),
        );
    }
    Some(Job {
        name: name?,
        repository: repository?,
        branch: branch?,
        jenkinsfile: jenkinsfile?,
        credential: written.credential.as_ref().map(|id| id.value.clone()),
    })
}

/// An address with http, https or ssh, or what SSH takes for one: `git@host:path`.
fn repository(text: &str) -> Result<String, String> {
    let odd = |letter: char| letter.is_whitespace() || letter.is_control() || "\"'<>\\^`|".contains(letter);
    if text.starts_with("http://") || text.starts_with("https://") {
        return form::url(text);
    }
    let ssh = text.starts_with("ssh://");
    let scp = text.split_once('@').is_some_and(|(_, rest)| rest.contains(':'));
    if !(ssh || scp) || text.contains(odd) || text.starts_with('-') {
        return Err(
            "such as https://gitlab.ci.example/shop/shop.git or git@gitlab.ci.example:shop/shop.git"
                .to_owned(),
        );
    }
    Ok(text.to_owned())
}

fn path(text: &str) -> Result<String, String> {
    let inside = !text.starts_with('/') && !text.split('/').any(|part| part.is_empty() || part == "..");
    if !inside || text.chars().any(char::is_control) {
        return Err("below the root of the repository, such as `Jenkinsfile` or `ci/Jenkinsfile`".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_reached_over_http_or_ssh() {
        for good in [
            "https://gitlab.ci.example/shop/shop.git",
            "ssh://git@gitlab.ci.example:2222/shop.git",
            "git@gitlab.ci.example:shop/shop.git",
        ] {
            assert_eq!(repository(good), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "shop",
            "/srv/shop.git",
            "https://me:pw@gitlab/shop",
            "-o@x:y",
            "git@host:a b",
        ] {
            assert!(repository(bad).is_err(), "{bad}");
        }
        assert!(path("ci/Jenkinsfile").is_ok());
        assert!(path("../x").is_err() && path("/x").is_err() && path("").is_err());
    }
}
