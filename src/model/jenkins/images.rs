//! Agent images of one's own.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::names;
use crate::diagnostic::Diagnostic;
use crate::inventory::{self, BuildContextFile};
use crate::model::check::RuleContext;
use crate::model::{code, form};
use crate::yaml::Spanned;

/// What a `ConfigMap` holds, less some room for its names.
const MOST: usize = (1 << 20) - 4096;
/// 2000-01-01: the time of every file, so that a folder checked out again is the same folder. ZIP files know no time before 1980.
const TIME: u64 = 946_684_800;

/// An image that is built in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuiltImage {
    /// Its full name, with the registry and a tag.
    pub name: String,
    /// Name of the Job that builds it, and of what that needs.
    pub job: String,
    /// SHA-256 of what it is built from.
    pub digest: String,
    /// What it is built from: a compressed tar archive in base64.
    pub context: String,
}

pub(super) fn check(
    written: &[inventory::ImageSpec],
    check: &mut RuleContext<'_>,
) -> Option<Vec<BuiltImage>> {
    names::unique("images", written.iter().map(|image| &image.name), check);
    let images: Vec<_> = written.iter().map(|image| self::image(image, check)).collect();
    images.into_iter().collect()
}

fn image(written: &inventory::ImageSpec, check: &mut RuleContext<'_>) -> Option<BuiltImage> {
    let name = check.parse(&written.name, &code::BAD_IMAGE, "image name", tagged);
    let archive = archive(&written.folder, check);
    let (name, archive) = (name?, archive?);
    Some(BuiltImage {
        job: job(&name),
        digest: hex::encode(Sha256::digest(&archive)),
        context: packed(&written.folder, &archive, check)?,
        name,
    })
}

/// An image with a tag: a digest is what it gets, not what it can be asked for.
fn tagged(text: &str) -> Result<String, String> {
    if text.contains('@') {
        return Err("it gets its digest when it is built: `name:tag`".to_owned());
    }
    form::image(text)
}

/// A name by which people recognise the image, made different from others by the image's full name.
fn job(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or_default();
    let plain = last
        .to_lowercase()
        .replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    let short: String = plain.trim_matches('-').chars().take(40).collect();
    let hash = hex::encode(&Sha256::digest(image)[..4]);
    format!("image-{}-{hash}", short.trim_end_matches('-'))
}

/// The folder's files as a tar archive that depends on their paths, contents and x bits alone.
fn archive(folder: &Spanned<String>, check: &mut RuleContext<'_>) -> Option<Vec<u8>> {
    let files = form::folder(folder, check)?;
    if !files.iter().any(|file| file.path == "Dockerfile") {
        let title = format!("`{}` has no Dockerfile", folder.value);
        check.report(
            Diagnostic::error(&code::IMAGE_FOLDER, title).at(folder.span, "there is nothing to build"),
        );
        return None;
    }
    match tar(files) {
        Ok(archive) => Some(archive),
        Err(error) => {
            let title = format!("`{}` can't be packed", folder.value);
            check.report(Diagnostic::error(&code::IMAGE_FOLDER, title).at(folder.span, error.to_string()));
            None
        }
    }
}

fn tar(files: &[BuildContextFile]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.content.len() as u64);
        header.set_mode(if file.executable { 0o755 } else { 0o644 });
        header.set_mtime(TIME);
        archive.append_data(&mut header, &file.path, file.content.as_slice())?;
    }
    archive.into_inner()
}

/// The archive as it is kept in the cluster, where it fits.
fn packed(folder: &Spanned<String>, archive: &[u8], check: &mut RuleContext<'_>) -> Option<String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory can't fail.
    let packed = encoder.write_all(archive).and_then(|()| encoder.finish()).ok()?;
    if packed.len() > MOST {
        let title = format!("`{}` is too large for a ConfigMap", folder.value);
        let size = format!("{} KiB when packed", packed.len() >> 10);
        let problem = Diagnostic::error(&code::IMAGE_FOLDER, title).at(folder.span, size);
        check.report(problem.help(format!(
            "at most {} KiB: let the Dockerfile fetch what is large, or put it into the image that it starts from",
            MOST >> 10
        )));
        return None;
    }
    Some(BASE64.encode(packed))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn jobs_are_named_after_images() {
        let name = job("harbor.ci.example:8443/ci/Maven_Node:1.0");
        assert!(name.starts_with("image-maven-node-1-0-"), "{name}");
        assert_ne!(name, job("harbor.ci.example/other/maven-node:1.0"));
        assert!(job(&format!("a.example/{}:{}", "x".repeat(60), "1".repeat(60))).len() <= 63);
    }

    #[test]
    fn an_archive_depends_on_what_is_in_the_folder_alone() {
        let file = |content: &str, executable| BuildContextFile {
            path: "Dockerfile".to_owned(),
            content: content.into(),
            executable,
        };
        let first = tar(&[file("FROM a", false)]).unwrap();
        assert_eq!(first, tar(&[file("FROM a", false)]).unwrap());
        assert_ne!(first, tar(&[file("FROM b", false)]).unwrap());
        assert_ne!(first, tar(&[file("FROM a", true)]).unwrap());
    }

    #[test]
    fn an_image_to_be_built_has_a_tag_and_no_digest() {
        assert!(tagged("a.example/ci/b:1").is_ok());
        assert!(tagged(&format!("a.example/ci/b:1@sha256:{}", "a".repeat(64))).is_err());
    }
}
