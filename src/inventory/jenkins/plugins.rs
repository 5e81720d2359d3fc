//! Plugins of Jenkins.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::yaml::{Entries, Spanned};

/// Where plugins come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PluginSource {
    /// Downloaded from an update site before the controller starts, once for each change of the list.
    #[default]
    UpdateSite,
    /// Baked into the controller's image, in `/usr/share/jenkins/ref/plugins`.
    Image,
    /// Copied from the claim `jenkins-plugins`, which you fill with `NAME.hpi` or `NAME.jpi` files: needs no network.
    Folder,
}

/// Plugins of Jenkins: what is listed, and what that depends on, is what it has.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PluginsSpec {
    /// Where they come from.
    pub source: Spanned<PluginSource>,
    /// The update site, for `source: updateSite`.
    pub update_site: UpdateSiteSpec,
    /// Begin with the list of this program: Kubernetes, configuration as code, Pipeline, Git, the Chinese
    /// translation and Extended Choice Parameter, with what they depend on.
    pub defaults: Spanned<bool>,
    /// Plugins and their exact versions, which replace those of the same name in that list.
    #[schemars(example = &serde_json::json!({"gitlab-plugin": "1.9.16"}))]
    pub pins: Entries<Spanned<String>>,
    /// A file that `ci-bootstrap plugins lock` has written, relative to the inventory: the list above with all that it needs, at exact versions
    /// with SHA-256. Jenkins doesn't start with a file of another sum.
    #[schemars(example = &"plugins.lock.yaml")]
    pub lock: Option<Spanned<String>>,
}

impl Default for PluginsSpec {
    fn default() -> Self {
        Self {
            source: Spanned::default(),
            update_site: UpdateSiteSpec::default(),
            defaults: true.into(),
            pins: Entries::default(),
            lock: None,
        }
    }
}

/// The update site of Jenkins, or a mirror of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct UpdateSiteSpec {
    /// Address of `update-center.json`, which few mirrors have.
    pub metadata: Spanned<String>,
    /// Address of `plugin-versions.json`, which is always read, too. Without it: `current/plugin-versions.json` beside `metadata`.
    #[schemars(example = &"https://mirrors.tuna.tsinghua.edu.cn/jenkins/updates/current/plugin-versions.json")]
    pub versions: Option<Spanned<String>>,
    /// Address below which the files lie as `NAME/VERSION/NAME.hpi`. Without it: where the metadata says.
    #[schemars(example = &"https://mirrors.tuna.tsinghua.edu.cn/jenkins/plugins")]
    pub downloads: Option<Spanned<String>>,
}

impl Default for UpdateSiteSpec {
    fn default() -> Self {
        Self {
            metadata: "https://updates.jenkins.io/update-center.json".into(),
            versions: None,
            downloads: None,
        }
    }
}
