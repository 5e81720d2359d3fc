//! From a list of plugins to all that it needs, at exact versions.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::version::compare;
use super::{Dependency, Release, UpdateSiteMetadata};

/// A plugin at one version, with the sum of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPlugin {
    /// Its short name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its file in hexadecimal digits.
    pub sha256: String,
}

/// Versions by name.
type Versions = BTreeMap<String, String>;

/// All plugins that those of `listed` need, each at the lowest version that the others ask for; what is listed stays at its version.
/// `jenkins` is the version of Jenkins that they run in.
///
/// # Errors
/// Every reason why they don't fit each other, Jenkins or the site, a line each.
pub fn resolve(
    site: &UpdateSiteMetadata,
    listed: &Versions,
    jenkins: &str,
) -> Result<Vec<LockedPlugin>, Vec<String>> {
    let mut problems = Vec::new();
    let chosen = closure(site, listed);
    let mut locked = Vec::new();
    for (name, version) in &chosen {
        match site.release(name, version) {
            None => problems.push(format!("the update site has no {name} {version}")),
            Some(release) => {
                problems.extend(misfits(name, version, release, &chosen, jenkins));
                match release.sum() {
                    Some(sha256) => locked.push(LockedPlugin {
                        name: name.clone(),
                        version: version.clone(),
                        sha256,
                    }),
                    None => problems.push(format!("the update site knows no SHA-256 of {name} {version}")),
                }
            }
        }
    }
    if problems.is_empty() {
        Ok(locked)
    } else {
        Err(problems)
    }
}

/// What is listed and all below it. A version only ever rises, so that this ends.
fn closure(site: &UpdateSiteMetadata, listed: &Versions) -> Versions {
    let mut lowest = Versions::new();
    loop {
        let chosen = reached(site, listed, &lowest);
        let before = lowest.clone();
        for dependency in needs(site, &chosen).filter(|one| !listed.contains_key(&one.name)) {
            let known = lowest
                .entry(dependency.name.clone())
                .or_insert_with(|| dependency.version.clone());
            if compare(known, &dependency.version) == Ordering::Less {
                known.clone_from(&dependency.version);
            }
        }
        if lowest == before {
            return chosen;
        }
    }
}

/// What the plugins need of each other: optional dependencies only where the plugin is among them.
fn needs<'a>(site: &'a UpdateSiteMetadata, chosen: &'a Versions) -> impl Iterator<Item = &'a Dependency> {
    let releases = chosen
        .iter()
        .filter_map(|(name, version)| site.release(name, version));
    releases
        .flat_map(|release| &release.dependencies)
        .filter(|one| !one.optional || chosen.contains_key(&one.name))
}

/// What is reached from the list, at the versions that are known so far.
fn reached(site: &UpdateSiteMetadata, listed: &Versions, lowest: &Versions) -> Versions {
    let mut chosen = listed.clone();
    let mut open: Vec<String> = listed.keys().cloned().collect();
    while let Some(name) = open.pop() {
        let release = chosen.get(&name).and_then(|version| site.release(&name, version));
        for dependency in release.into_iter().flat_map(|release| &release.dependencies) {
            if dependency.optional || chosen.contains_key(&dependency.name) {
                continue;
            }
            let version = lowest.get(&dependency.name).unwrap_or(&dependency.version);
            chosen.insert(dependency.name.clone(), version.clone());
            open.push(dependency.name.clone());
        }
    }
    chosen
}

/// What a plugin asks for and does not get: a newer Jenkins, or a newer version of one that is listed.
fn misfits(name: &str, version: &str, release: &Release, chosen: &Versions, jenkins: &str) -> Vec<String> {
    let core = &release.required_core;
    let old_core = (compare(core, jenkins) == Ordering::Greater)
        .then(|| format!("{name} {version} needs Jenkins {core} or later, and this is {jenkins}"));
    let old = release.dependencies.iter().filter_map(|one| {
        let there = chosen.get(&one.name)?;
        (compare(there, &one.version) == Ordering::Less).then(|| {
            format!(
                "{name} {version} needs {} {} or later, and {there} is listed",
                one.name, one.version
            )
        })
    });
    old_core.into_iter().chain(old).collect()
}
