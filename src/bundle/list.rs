//! Bundles in a folder.

use std::path::{Path, PathBuf};

use super::{BundleError, BundleHeader, about, open};

const PLAIN: &str = ".tar.gz";
const SEALED: &str = ".tar.gz.age";

/// The name of a new bundle: the cluster's and when it was begun (`2026-11-21T14:30:00Z`).
pub fn file_name(cluster: &str, made: &str, sealed: bool) -> String {
    let digits: String = made.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{cluster}-{digits}{}", if sealed { SEALED } else { PLAIN })
}

/// Of the names in a folder those of bundles of this cluster that are to go, so that `keep` of them stay: `new`, and the latest of the
/// others. A name that [`file_name`] does not make is never among them.
pub fn outdated(names: &[String], cluster: &str, new: &str, keep: usize) -> Vec<String> {
    let mut others: Vec<_> = names
        .iter()
        .filter(|name| *name != new)
        .filter_map(|name| Some((stamp(name, cluster)?, name)))
        .collect();
    others.sort_unstable();
    // The new one stays even where a clock was wrong and its name is not the latest.
    let surplus = others.len().saturating_sub(keep.saturating_sub(1));
    others.drain(..surplus).map(|(_, name)| name.clone()).collect()
}

/// The time in the name of a bundle of this cluster.
fn stamp<'a>(name: &'a str, cluster: &str) -> Option<&'a str> {
    let rest = name.strip_prefix(cluster)?.strip_prefix('-')?;
    let stamp = rest.strip_suffix(SEALED).or_else(|| rest.strip_suffix(PLAIN))?;
    let shape: String = stamp
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    (shape == "00000000T000000Z").then_some(stamp)
}

/// A bundle in a folder.
#[derive(Debug)]
pub struct BundleFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// What it is of, or why that can't be told.
    pub about: Result<BundleHeader, BundleError>,
}

/// The bundles in a folder by name, which is by cluster and time. Their first member alone is read.
///
/// # Errors
/// When the folder can't be read.
pub fn list(folder: &Path, identity: Option<&Path>) -> Result<Vec<BundleFile>, BundleError> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || !(name.ends_with(PLAIN) || name.ends_with(SEALED)) {
            continue;
        }
        let path = entry.path();
        // Opening a pipe would wait for somebody who writes to it.
        let Some(size) = fs_err::metadata(&path)
            .ok()
            .filter(std::fs::Metadata::is_file)
            .map(|file| file.len())
        else {
            continue;
        };
        let about = open(&path, identity).and_then(about);
        found.push(BundleFile { path, size, about });
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}
