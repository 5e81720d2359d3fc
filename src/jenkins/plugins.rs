//! Plugins that are there against those that are asked for.

use serde::Deserialize;

use super::client::JenkinsClient;
use super::error::JenkinsError;

/// A plugin that Jenkins has found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstalledPlugin {
    /// Its identifier, such as `workflow-aggregator`.
    #[serde(rename = "shortName")]
    pub name: String,
    /// Its version.
    pub version: String,
    /// Whether it was loaded and works.
    pub active: bool,
    /// Whether it should be loaded.
    pub enabled: bool,
}

#[derive(Deserialize)]
struct InstalledPlugins {
    plugins: Vec<InstalledPlugin>,
}

impl JenkinsClient {
    /// All plugins that Jenkins has found in its folder.
    pub async fn plugins(&self) -> Result<Vec<InstalledPlugin>, JenkinsError> {
        let path = "/pluginManager/api/json?depth=1&tree=plugins[shortName,version,active,enabled]";
        Ok(self.json::<InstalledPlugins>(path).await?.plugins)
    }
}

/// What is wrong with the plugins of these names: one line each.
pub fn broken_plugins<'a>(
    wanted: impl IntoIterator<Item = &'a str>,
    found: &[InstalledPlugin],
) -> Vec<String> {
    let problem = |name: &str| {
        let Some(plugin) = found.iter().find(|plugin| plugin.name == name) else {
            return Some(format!("the plugin {name} is not there"));
        };
        if !plugin.enabled {
            Some(format!("the plugin {name} is disabled: enable it in Jenkins"))
        } else if !plugin.active {
            Some(format!("the plugin {name} {} failed to load", plugin.version))
        } else {
            None
        }
    };
    wanted.into_iter().filter_map(problem).collect()
}

/// Plugins that are there in another version than asked for, by name and version: one line each.
pub fn other_versions<'a>(
    wanted: impl IntoIterator<Item = (&'a str, &'a str)>,
    found: &[InstalledPlugin],
) -> Vec<String> {
    let other = |(name, version): (&str, &str)| {
        let plugin = found.iter().find(|plugin| plugin.name == name)?;
        (plugin.version != version).then(|| {
            format!(
                "the plugin {name} is there as {} and not as {version}",
                plugin.version
            )
        })
    };
    wanted.into_iter().filter_map(other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_plugin_that_is_not_as_asked_for_is_named() {
        let plugin = |name: &str, active, enabled| InstalledPlugin {
            name: name.to_owned(),
            version: "1".to_owned(),
            active,
            enabled,
        };
        let found = [
            plugin("git", true, true),
            plugin("kubernetes", false, true),
            plugin("mailer", false, false),
        ];
        let lines = broken_plugins(["git", "kubernetes", "mailer", "timestamper"], &found);
        assert_eq!(
            lines,
            [
                "the plugin kubernetes 1 failed to load",
                "the plugin mailer is disabled: enable it in Jenkins",
                "the plugin timestamper is not there"
            ]
        );
        let lines = other_versions([("git", "2"), ("kubernetes", "1"), ("timestamper", "3")], &found);
        assert_eq!(lines, ["the plugin git is there as 1 and not as 2"]);
    }
}
