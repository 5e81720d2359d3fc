//! What an update site says of plugins: their versions, what these need, their sums, and warnings about them.

mod resolve;
mod version;
mod warning;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use resolve::{LockedPlugin, resolve};
pub use warning::SecurityWarning;

/// The metadata of an update site: `update-center.json`, and `plugin-versions.json` with all that was ever released.
#[derive(Debug, Default)]
pub struct UpdateSiteMetadata {
    releases: BTreeMap<String, BTreeMap<String, Release>>,
    warnings: Vec<SecurityWarning>,
}

/// One version of a plugin.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Release {
    /// In base64, as the site has it.
    sha256: Option<String>,
    /// The oldest Jenkins that it runs in.
    #[serde(default)]
    required_core: String,
    #[serde(default)]
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Clone, Deserialize)]
struct Dependency {
    name: String,
    /// The lowest that will do.
    version: String,
    /// Whether it only counts where the plugin is there anyway.
    #[serde(default)]
    optional: bool,
}

#[derive(Deserialize)]
struct VersionsFile {
    plugins: BTreeMap<String, BTreeMap<String, Release>>,
}

#[derive(Deserialize)]
struct CenterFile {
    #[serde(default)]
    plugins: BTreeMap<String, NewestRelease>,
    #[serde(default)]
    warnings: Vec<SecurityWarning>,
}

#[derive(Deserialize)]
struct NewestRelease {
    version: String,
    #[serde(flatten)]
    release: Release,
}

/// The metadata is not what an update site has.
#[derive(Debug, thiserror::Error)]
#[error("{file} is not metadata of an update site: {reason}")]
pub struct MetadataError {
    file: &'static str,
    reason: String,
}

impl UpdateSiteMetadata {
    /// Reads both files. `update-center.json` may stand in a call of JavaScript, as updates.jenkins.io has it.
    pub fn parse(center: &[u8], versions: &[u8]) -> Result<Self, MetadataError> {
        let mut site = Self {
            releases: read::<VersionsFile>("plugin-versions.json", versions)?.plugins,
            warnings: Vec::new(),
        };
        let center: CenterFile = read("update-center.json", center)?;
        for (name, newest) in center.plugins {
            let versions = site.releases.entry(name).or_default();
            versions.entry(newest.version).or_insert(newest.release);
        }
        site.warnings = center.warnings;
        Ok(site)
    }

    /// Warnings about a plugin at this version, those without a pattern that can be read included.
    pub fn warnings(&self, name: &str, version: &str) -> impl Iterator<Item = &SecurityWarning> {
        self.warnings
            .iter()
            .filter(move |warning| warning.concerns(name, version))
    }

    fn release(&self, name: &str, version: &str) -> Option<&Release> {
        self.releases.get(name)?.get(version)
    }
}

impl Release {
    /// In hexadecimal digits, as `sha256sum` prints it.
    fn sum(&self) -> Option<String> {
        let bytes = BASE64.decode(self.sha256.as_ref()?).ok()?;
        let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
        (bytes.len() == 32).then(|| digits.collect())
    }
}

fn read<T: DeserializeOwned>(file: &'static str, content: &[u8]) -> Result<T, MetadataError> {
    let first = content.iter().position(|byte| *byte == b'{');
    let last = content.iter().rposition(|byte| *byte == b'}');
    let json = match (first, last) {
        (Some(first), Some(last)) if first < last => &content[first..=last],
        _ => content,
    };
    serde_json::from_slice(json).map_err(|error| MetadataError {
        file,
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests;
