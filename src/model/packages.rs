//! Where packages come from.

use std::collections::BTreeMap;

use serde::Serialize;

use super::check::RuleContext;
use super::{Version, code, form};
use crate::diagnostic::Diagnostic;
use crate::inventory;
use crate::yaml::{Entries, Spanned};

/// The key that signs a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RepositoryKeySource {
    /// An armoured key.
    Text(String),
    /// An armoured key to fetch, and the fingerprint that it must have.
    Url {
        /// Where it is.
        url: String,
        /// Fingerprint of the primary key, 40 lower-case hexadecimal digits.
        fingerprint: String,
    },
}

/// An apt repository. `${ID}` and `${VERSION_CODENAME}` in its texts stand for what os-release of the host says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AptRepository {
    /// Its address.
    pub url: String,
    /// Its suite; ends in `/` for a flat repository.
    pub suite: String,
    /// Its components; none for a flat repository.
    pub components: Vec<String>,
    /// The key that signs it.
    pub key: RepositoryKeySource,
}

/// A repository for dnf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RpmRepository {
    /// Its base address.
    pub url: String,
    /// The key that signs it.
    pub key: RepositoryKeySource,
}

/// Where packages come from, by repository name; `kubernetes` and `containerd` are always there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PackageSources {
    /// For hosts with apt.
    pub apt: BTreeMap<String, AptRepository>,
    /// For hosts with dnf.
    pub rpm: BTreeMap<String, RpmRepository>,
    /// Whether the packages of the cluster are kept from being upgraded by anything else.
    pub hold: bool,
}

const KUBERNETES_KEY: &str = "de15b14486cd377b9e876e1a234654da9a296436";
const DOCKER_APT_KEY: &str = "9dc858229fc7dd38854ae2d88d81803c0ebfcd88";
const DOCKER_RPM_KEY: &str = "060a61c51b558a7f742b77aac52feb6b621e9f35";

pub(super) fn check(
    written: &inventory::PackagesSpec,
    kubernetes: Option<Version>,
    check: &mut RuleContext<'_>,
) -> Option<PackageSources> {
    let apt = repositories(&written.apt, check, apt);
    let rpm = repositories(&written.rpm, check, rpm);
    let (mut apt, mut rpm, line) = (apt?, rpm?, kubernetes?.line());
    let key = |url: String, fingerprint: &str| RepositoryKeySource::Url {
        url,
        fingerprint: fingerprint.to_owned(),
    };
    let upstream = format!("https://pkgs.k8s.io/core:/stable:/v{line}");
    let docker = "https://download.docker.com/linux";
    apt.entry("kubernetes".to_owned())
        .or_insert_with(|| AptRepository {
            url: format!("{upstream}/deb/"),
            suite: "/".to_owned(),
            components: Vec::new(),
            key: key(format!("{upstream}/deb/Release.key"), KUBERNETES_KEY),
        });
    apt.entry("containerd".to_owned())
        .or_insert_with(|| AptRepository {
            url: format!("{docker}/${{ID}}"),
            suite: "${VERSION_CODENAME}".to_owned(),
            components: vec!["stable".to_owned()],
            key: key(format!("{docker}/${{ID}}/gpg"), DOCKER_APT_KEY),
        });
    rpm.entry("kubernetes".to_owned())
        .or_insert_with(|| RpmRepository {
            url: format!("{upstream}/rpm/"),
            key: key(format!("{upstream}/rpm/repodata/repomd.xml.key"), KUBERNETES_KEY),
        });
    rpm.entry("containerd".to_owned())
        .or_insert_with(|| RpmRepository {
            url: format!("{docker}/rhel/$releasever/$basearch/stable"),
            key: key(format!("{docker}/rhel/gpg"), DOCKER_RPM_KEY),
        });
    Some(PackageSources {
        apt,
        rpm,
        hold: written.hold.value,
    })
}

fn repositories<W, R>(
    written: &Entries<W>,
    check: &mut RuleContext<'_>,
    repository: impl Fn(&W, &mut RuleContext<'_>) -> Option<R>,
) -> Option<BTreeMap<String, R>> {
    let named: Vec<_> = written
        .iter()
        .map(|(name, written)| {
            let name = check.parse(name, &code::BAD_NAME, "repository name", form::file_name);
            let repository = repository(written, check);
            Some((name?, repository?))
        })
        .collect();
    named.into_iter().collect()
}

fn apt(written: &inventory::AptRepositorySpec, check: &mut RuleContext<'_>) -> Option<AptRepository> {
    let url = check.parse(&written.url, &code::BAD_URL, "address", url_of_any_host);
    let suite = check.parse(&written.suite, &code::BAD_WORD, "suite", form::word);
    let components = check.parse_all(&written.components, &code::BAD_WORD, "component", form::word);
    let key = key(&written.key, check);
    Some(AptRepository {
        url: url?,
        suite: suite?,
        components: components?,
        key: key?,
    })
}

fn rpm(written: &inventory::RpmRepositorySpec, check: &mut RuleContext<'_>) -> Option<RpmRepository> {
    let url = check.parse(&written.url, &code::BAD_URL, "address", url_of_any_host);
    let key = key(&written.key, check);
    Some(RpmRepository { url: url?, key: key? })
}

/// A URL once the parts that each host fills in stand for something.
fn url_of_any_host(text: &str) -> Result<String, String> {
    let filled = text
        .replace("${ID}", "id")
        .replace("${VERSION_CODENAME}", "codename");
    if filled.contains("${") {
        return Err("only `${ID}` and `${VERSION_CODENAME}` are known".to_owned());
    }
    form::url(&filled)?;
    Ok(text.to_owned())
}

fn key(written: &Spanned<inventory::KeySpec>, check: &mut RuleContext<'_>) -> Option<RepositoryKeySource> {
    match (&written.file, &written.url, &written.fingerprint) {
        (Some(file), None, None) => armoured(file, check).map(RepositoryKeySource::Text),
        (None, Some(url), Some(fingerprint)) => {
            let url = check.parse(url, &code::BAD_URL, "address", url_of_any_host);
            let parse = |text: &str| form::hexadecimal(text, 40);
            let fingerprint = check.parse(fingerprint, &code::BAD_CHECKSUM, "fingerprint", parse);
            Some(RepositoryKeySource::Url {
                url: url?,
                fingerprint: fingerprint?,
            })
        }
        (_, Some(_), None) => {
            check.report(
                Diagnostic::error(&code::KEY_SOURCE, "a key from a URL needs its fingerprint")
                    .at(written.span, "")
                    .help("add `fingerprint`: what `gpg --show-keys` prints for the key that you trust"),
            );
            None
        }
        _ => {
            check.report(
                Diagnostic::error(&code::KEY_SOURCE, "the key needs one source")
                    .at(written.span, "")
                    .help("write `{ file: PATH }` or `{ url: URL, fingerprint: … }`"),
            );
            None
        }
    }
}

fn armoured(file: &Spanned<String>, check: &mut RuleContext<'_>) -> Option<String> {
    let content = form::file(file, check)?;
    let text = String::from_utf8(content).ok();
    let text = text.filter(|text| text.contains("-----BEGIN PGP PUBLIC KEY BLOCK-----"));
    if text.is_none() {
        check.report(
            Diagnostic::error(
                &code::BAD_KEY,
                format!("`{}` is not an armored OpenPGP public key", file.value),
            )
            .at(file.span, "")
            .help("`gpg --armor --export KEY` writes one"),
        );
    }
    text
}
