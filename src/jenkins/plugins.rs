//! Plugins that are there against those that are asked for.

use serde::Deserialize;

use super::client::Jenkins;
use super::error::JenkinsError;

/// A plugin that Jenkins has found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plugin {
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
struct Plugins {
    plugins: Vec<Plugin>,
}

impl Jenkins {
    /// All plugins that Jenkins has found in its folder.
    pub async fn plugins(&self) -> Result<Vec<Plugin>, JenkinsError> {
        let path = "/pluginManager/api/json?depth=1&tree=plugins[shortName,version,active,enabled]";
        Ok(self.json::<Plugins>(path).await?.plugins)
    }
}

/// What is wrong with the plugins that are asked for, by name and version: one line each.
pub fn missing_plugins<'a>(
    wanted: impl IntoIterator<Item = (&'a str, &'a str)>,
    found: &[Plugin],
) -> Vec<String> {
    let problem = |(name, version): (&str, &str)| {
        let Some(plugin) = found.iter().find(|plugin| plugin.name == name) else {
            return Some(format!("{name} {version} is not there"));
        };
        if !plugin.enabled {
            Some(format!(
                "{name} is disabled: enable it in Jenkins, or delete {name}.jpi.disabled in its home"
            ))
        } else if !plugin.active {
            Some(format!("{name} {} failed to load", plugin.version))
        } else if plugin.version != version {
            Some(format!(
                "{name} is there as {} and not as {version}",
                plugin.version
            ))
        } else {
            None
        }
    };
    wanted.into_iter().filter_map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_plugin_that_is_not_as_asked_for_is_named() {
        let plugin = |name: &str, active, enabled| Plugin {
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
        let wanted = [
            ("git", "1"),
            ("git", "2"),
            ("kubernetes", "1"),
            ("mailer", "1"),
            ("timestamper", "3"),
        ];
        let lines = missing_plugins(wanted, &found);
        assert_eq!(lines[0], "git is there as 1 and not as 2");
        assert_eq!(lines[1], "kubernetes 1 failed to load");
        assert!(lines[2].starts_with("mailer is disabled"), "{lines:?}");
        assert_eq!(lines[3], "timestamper 3 is not there");
    }
}
