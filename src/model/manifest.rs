//! Release manifests of others: where they come from, and their checksum.

use std::path::PathBuf;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::check::RuleContext;
use super::{code, form};
use crate::diagnostic::Diagnostic;
use crate::inventory;

/// Where a manifest comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ManifestSource {
    /// Fetched from a URL by the controller.
    Url(String),
    /// Read from a file.
    Path(PathBuf),
}

/// An upstream manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Where it comes from.
    pub source: ManifestSource,
    /// Its SHA-256, lower-case hexadecimal.
    pub sha256: String,
}

/// The source as written, `usual` where none is written. `None` when it was reported as wrong.
pub(super) fn source(
    given: &inventory::ManifestSpec,
    usual: Option<String>,
    check: &mut RuleContext<'_>,
) -> Option<ManifestSource> {
    match (&given.url, &given.path) {
        (Some(url), Some(path)) => {
            check.report(
                Diagnostic::error(&code::MANIFEST_SOURCE, "the manifest has two sources")
                    .at(path.span, "this file")
                    .at(url.span, "and this address")
                    .help("keep one of them"),
            );
            None
        }
        (Some(url), None) => check
            .parse(url, &code::BAD_URL, "address", form::url)
            .map(ManifestSource::Url),
        (None, Some(path)) => Some(ManifestSource::Path(check.document.files.path(path))),
        (None, None) => usual.map(ManifestSource::Url),
    }
}

/// The SHA-256 as written, where one is.
pub(super) fn sha256(given: &inventory::ManifestSpec, check: &mut RuleContext<'_>) -> Option<String> {
    let written = given.sha256.as_ref()?;
    check.parse(written, &code::BAD_CHECKSUM, "SHA-256", |text| {
        form::hexadecimal(text, 64)
    })
}

/// Whether a manifest in a file, which can be checked right now, has its checksum.
pub(super) fn content_matches(
    given: &inventory::ManifestSpec,
    sha256: &str,
    check: &mut RuleContext<'_>,
) -> bool {
    let Some(path) = &given.path else { return true };
    let Some(content) = form::file(path, check) else {
        return false;
    };
    let found = hex::encode(Sha256::digest(content));
    if found != sha256 {
        let expected = given
            .sha256
            .as_ref()
            .map_or_else(Default::default, |written| written.span);
        check.report(
            Diagnostic::error(
                &code::MANIFEST_CHECKSUM,
                format!("the checksum of `{}` is another", path.value),
            )
            .at(path.span, format!("it has {found}"))
            .at(expected, "expected")
            .help(format!(
                "expected was {sha256}: the file is damaged, or of another release"
            )),
        );
    }
    found == sha256
}
