//! The file that `ci-bootstrap plugins lock` writes: all plugins at exact versions, with the sums of their files.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::plugins::{self, Plugin};
use crate::diagnostic::Diagnostic;
use crate::model::check::RuleContext;
use crate::model::{code, form};
use crate::yaml::{self, Spanned};

/// Differences that are shown.
const SHOWN: usize = 5;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LockFile {
    /// The version of Jenkins that they fit.
    jenkins: String,
    plugins: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    version: String,
    sha256: String,
}

/// The plugins of the file, which must be those of `listed` and what they need, for the Jenkins of `image`.
pub(super) fn check(
    file: &Spanned<String>,
    listed: &BTreeMap<String, String>,
    image: &str,
    check: &mut RuleContext<'_>,
) -> Option<Vec<Plugin>> {
    let content = form::file(file, check)?;
    let problem = |title: &str, reason: String| {
        let title = format!("`{}` {title}", file.value);
        let help =
            "write it again by `ci-bootstrap plugins lock`, beside the old one, and look at what differs";
        Diagnostic::error(&code::PLUGIN_LOCK, title)
            .at(file.span, reason)
            .help(help)
    };
    let read = read(&String::from_utf8_lossy(&content));
    let lock = match read {
        Ok(lock) => lock,
        Err(reason) => {
            check.report(problem("is not a file of locked plugins", reason));
            return None;
        }
    };
    let stale = differences(&lock, listed, image);
    if !stale.is_empty() {
        check.report(problem("does not have what is listed", stale.join("; ")));
        return None;
    }
    let plugins = lock.plugins.into_iter().map(|(name, entry)| Plugin {
        name,
        version: entry.version,
        sha256: Some(entry.sha256),
    });
    Some(plugins.collect())
}

fn read(text: &str) -> Result<LockFile, String> {
    let document = yaml::manifests(text).map_err(|error| error.to_string())?;
    let document = document.into_iter().next().unwrap_or_default();
    let lock: LockFile = serde_json::from_value(document).map_err(|error| error.to_string())?;
    for (name, entry) in &lock.plugins {
        plugins::plugin(name).map_err(|_| format!("`{name}` is no name of a plugin"))?;
        plugins::version(&entry.version)
            .map_err(|_| format!("{name}: invalid version `{}`", entry.version))?;
        form::hexadecimal(&entry.sha256, 64).map_err(|reason| format!("{name}: {reason}"))?;
    }
    Ok(lock)
}

/// What the inventory says and the file does not.
fn differences(lock: &LockFile, listed: &BTreeMap<String, String>, image: &str) -> Vec<String> {
    let other_jenkins = version_of_image(image)
        .filter(|version| *version != lock.jenkins)
        .map(|version| format!("it is for Jenkins {}, and this is {version}", lock.jenkins));
    let other = listed
        .iter()
        .filter_map(|(name, version)| match lock.plugins.get(name) {
            None => Some(format!("{name} is missing")),
            Some(entry) if entry.version != *version => {
                Some(format!("{name} is {}, and {version} is listed", entry.version))
            }
            Some(_) => None,
        });
    other_jenkins.into_iter().chain(other).take(SHOWN).collect()
}

/// The version of Jenkins in the tag of an image: `2.568.2` of `docker.io/jenkins/jenkins:2.568.2-jdk21`.
pub fn version_of_image(image: &str) -> Option<&str> {
    let name = image.split('@').next()?.rsplit('/').next()?;
    let (_, tag) = name.split_once(':')?;
    let end = tag
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(tag.len());
    let version = tag[..end].trim_end_matches('.');
    version.contains('.').then_some(version)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn images_tell_the_version_of_jenkins_in_their_tag() {
        for (image, version) in [
            ("docker.io/jenkins/jenkins:2.568.2-jdk21", Some("2.568.2")),
            ("harbor.ci.example:5000/ci/jenkins:2.568@sha256:00", Some("2.568")),
            ("harbor.ci.example:5000/ci/jenkins", None),
            ("jenkins/jenkins:lts", None),
            ("jenkins/jenkins:3", None),
        ] {
            assert_eq!(version_of_image(image), version, "{image}");
        }
    }

    #[test]
    fn a_lock_of_another_list_or_jenkins_is_stale() {
        let sum = "0".repeat(64);
        let lock = read(&format!(
            "jenkins: 2.568.2\nplugins: {{ git: {{ version: 5.10.1, sha256: \"{sum}\" }} }}\n"
        ))
        .unwrap();
        let listed = |name: &str, version: &str| BTreeMap::from([(name.to_owned(), version.to_owned())]);
        assert_eq!(
            differences(&lock, &listed("git", "5.10.1"), "jenkins:2.568.2-jdk21"),
            [""; 0]
        );
        assert_eq!(
            differences(&lock, &listed("git", "5.11"), "jenkins:lts"),
            ["git is 5.10.1, and 5.11 is listed"]
        );
        assert_eq!(
            differences(&lock, &listed("scm-api", "1"), "jenkins:2.570"),
            [
                "it is for Jenkins 2.568.2, and this is 2.570",
                "scm-api is missing"
            ]
        );
    }

    #[test]
    fn what_would_reach_a_shell_has_its_form() {
        let sum = "0".repeat(64);
        for text in [
            format!("jenkins: 2.568.2\nplugins: {{ \"a b\": {{ version: 5, sha256: \"{sum}\" }} }}"),
            format!("jenkins: 2.568.2\nplugins: {{ a: {{ version: \"5\\n6\", sha256: \"{sum}\" }} }}"),
            "jenkins: 2.568.2\nplugins: { a: { version: \"5\", sha256: \"00\" } }".to_owned(),
            "jenkins: 2.568.2".to_owned(),
            String::new(),
        ] {
            assert!(read(&text).is_err(), "{text}");
        }
    }
}
