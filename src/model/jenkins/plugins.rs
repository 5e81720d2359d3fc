//! Plugins of Jenkins.

use std::collections::BTreeMap;

use serde::Serialize;

use super::plugin_lock;
use crate::diagnostic::Diagnostic;
use crate::inventory::{self, PluginSource};
use crate::model::check::RuleContext;
use crate::model::{code, form};

/// The plugins that are installed unless the inventory says otherwise: `name:version` lines and comments.
const DEFAULTS: &str = include_str!("plugins.txt");

/// Without these the controller can't be what the rest of the inventory makes of it.
const NEEDED: [&str; 3] = ["configuration-as-code", "kubernetes", "workflow-aggregator"];

/// Plugins of Jenkins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plugins {
    /// Where they come from.
    pub source: PluginSource,
    /// The update site.
    pub update_site: UpdateSite,
    /// By name, in their order; for `source: image` those that must be in it.
    pub list: Vec<Plugin>,
}

/// A plugin at one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plugin {
    /// Its short name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its file in hexadecimal digits, where it is known.
    pub sha256: Option<String>,
}

/// The update site of Jenkins, or a mirror of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateSite {
    /// Address of `update-center.json`.
    pub metadata: String,
    /// Address of `plugin-versions.json`.
    pub versions: String,
    /// Address below which the files lie; none is where the metadata says.
    pub downloads: Option<String>,
}

impl Plugin {
    fn without_sum((name, version): (String, String)) -> Self {
        Self {
            name,
            version,
            sha256: None,
        }
    }
}

impl Plugins {
    /// Whether the plugin is in the list.
    pub fn has(&self, name: &str) -> bool {
        self.list.iter().any(|plugin| plugin.name == name)
    }
}

pub(super) fn check(
    written: &inventory::PluginsSpec,
    image: &str,
    check: &mut RuleContext<'_>,
) -> Option<Plugins> {
    let mut versions: BTreeMap<String, String> = BTreeMap::new();
    if written.defaults.value {
        versions.extend(defaults());
    }
    let mut sound = true;
    for (name, version) in written.pins.iter() {
        let name = check.parse(name, &code::BAD_PLUGIN, "plugin", plugin);
        let version = check.parse(version, &code::BAD_PLUGIN, "plugin version", self::version);
        match (name, version) {
            (Some(name), Some(version)) => drop(versions.insert(name, version)),
            _ => sound = false,
        }
    }
    let missing = NEEDED.iter().find(|name| !versions.contains_key(**name));
    if let Some(name) = missing.filter(|_| sound) {
        check.report(
            Diagnostic::error(
                &code::MISSING_PLUGIN,
                format!("Jenkins needs the plugin `{name}`"),
            )
            .at(written.defaults.span, "the list of this program is left out")
            .help(format!(
                "put `{name}` into `jenkins.plugins.pins`, with its version"
            )),
        );
    }
    let update_site = update_site(&written.update_site, check);
    let list = match &written.lock {
        Some(file) if sound => plugin_lock::check(file, &versions, image, check)?,
        _ => versions.into_iter().map(Plugin::without_sum).collect(),
    };
    Some(Plugins {
        source: written.source.value,
        update_site: update_site?,
        list,
    })
    .filter(|_| sound)
}

fn update_site(written: &inventory::UpdateSiteSpec, check: &mut RuleContext<'_>) -> Option<UpdateSite> {
    let metadata = check.parse(&written.metadata, &code::BAD_URL, "address", form::url);
    let mut other =
        |written: &Option<_>| check.parse_optional(written.as_ref(), &code::BAD_URL, "address", form::url);
    let (versions, downloads) = (other(&written.versions), other(&written.downloads));
    let metadata = metadata?;
    let beside = metadata.rsplit_once('/').map_or("", |(folder, _)| folder);
    Some(UpdateSite {
        versions: versions?.unwrap_or_else(|| format!("{beside}/current/plugin-versions.json")),
        downloads: downloads?.map(|url| url.trim_end_matches('/').to_owned()),
        metadata,
    })
}

fn defaults() -> impl Iterator<Item = (String, String)> {
    let lines = DEFAULTS.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
}

/// A plugin's short name.
pub(super) fn plugin(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.is_empty() || !text.bytes().all(plain) {
        return Err("its short name, as in its address at plugins.jenkins.io".to_owned());
    }
    Ok(text.to_owned())
}

/// Exactly one version: `latest` would be another one tomorrow.
pub(super) fn version(text: &str) -> Result<String, String> {
    let digit = text.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    if !digit {
        return Err("an exact version, such as 5.10.1".to_owned());
    }
    plugin(text).map_err(|_| "an exact version, such as 5.10.1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_what_is_needed_each_once_and_in_order() {
        let names: Vec<_> = defaults().map(|(name, _)| name).collect();
        let mut sorted = names.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(names, sorted);
        assert!(
            NEEDED
                .iter()
                .all(|needed| names.iter().any(|name| name == needed))
        );
        for (name, version) in defaults() {
            assert_eq!((plugin(&name), self::version(&version)), (Ok(name), Ok(version)));
        }
    }

    #[test]
    fn versions_are_exact() {
        for good in ["5.10.1", "371.v23851f835d6b_", "3385.vf1123fb_515da_-1"] {
            assert!(version(good).is_ok(), "{good}");
        }
        for bad in ["latest", "", "1.0 ", "1:2", "experimental"] {
            assert!(version(bad).is_err(), "{bad}");
        }
    }
}
