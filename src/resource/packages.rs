//! Packages at a version, kept there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;

use super::repository::PackageFormat;
use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unreadable, sh};

/// Packages that are installed together, in one transaction.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PackageSet {
    /// Which package manager.
    pub format: PackageFormat,
    /// Package name to version: exact, a prefix that ends in `*`, or empty for any.
    pub install: BTreeMap<String, String>,
    /// Those that nobody else may upgrade: apt holds them; with rpm the repository excludes them.
    #[serde(default)]
    pub held: Vec<String>,
    /// Where this path exists, another version is a person's decision: the packages are in use by a cluster.
    #[serde(default)]
    pub settled_by: Option<String>,
    /// Packages that steps of their own upgrade where `settled_by` exists.
    #[serde(default)]
    pub upgraded_elsewhere: Vec<String>,
}

/// Whether an installed version, with or without an epoch, is the wanted one.
fn satisfies(installed: &str, wanted: &str) -> bool {
    let installed = installed.split_once(':').map_or(installed, |(_, rest)| rest);
    match wanted.strip_suffix('*') {
        _ if wanted.is_empty() => true,
        Some(prefix) => installed.starts_with(prefix),
        None => installed == wanted,
    }
}

/// A package that is missing or at another version: name, installed, wanted.
type Differing<'a> = (&'a str, Option<String>, &'a str);

impl PackageSet {
    /// Packages that are missing or at another version.
    fn differing<'a>(&'a self, seen: &HostState) -> Result<Vec<Differing<'a>>, Unreadable> {
        let settled = self.is_settled(seen)?;
        let differing = self.install.iter().filter_map(|(name, wanted)| {
            let installed = seen.package(name).map(|package| package.version);
            let fine = installed
                .as_ref()
                .is_some_and(|installed| satisfies(installed, wanted));
            let elsewhere = settled && installed.is_some() && self.upgraded_elsewhere.contains(name);
            (!fine && !elsewhere).then_some((name.as_str(), installed, wanted.as_str()))
        });
        Ok(differing.collect())
    }

    /// Whether the host belongs to a cluster that uses the packages.
    fn is_settled(&self, seen: &HostState) -> Result<bool, Unreadable> {
        let path = self.settled_by.as_ref().map(|path| seen.path(path)).transpose()?;
        Ok(path.flatten().is_some())
    }

    /// Packages that could be upgraded behind our back.
    fn unheld<'a>(&'a self, seen: &HostState) -> Vec<&'a String> {
        let apt = self.format == PackageFormat::Apt;
        let loose = |name: &&String| apt && !seen.package(name).is_some_and(|package| package.held);
        self.held.iter().filter(loose).collect()
    }

    fn install_script(&self, seen: &HostState) -> String {
        let differing = self.differing(seen).unwrap_or_default();
        if differing.is_empty() {
            return String::new();
        }
        match self.format {
            PackageFormat::Apt => {
                let join = |(name, _, wanted): &(&str, _, &str)| {
                    if wanted.is_empty() {
                        (*name).to_owned()
                    } else {
                        format!("{name}={wanted}")
                    }
                };
                APT.replace("@PACKAGES@", &sh::words(differing.iter().map(join)))
            }
            PackageFormat::Rpm => {
                let join = |(name, _, wanted): &(&str, _, &str)| {
                    if wanted.is_empty() {
                        (*name).to_owned()
                    } else {
                        format!("{name}-{wanted}")
                    }
                };
                DNF.replace("@PACKAGES@", &sh::words(differing.iter().map(join)))
            }
        }
    }
}

/// The lists of the site's own repositories may be old or one of them broken: that is a warning. Ours must be right.
const APT: &str = r#"export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
wait='-o DPkg::Lock::Timeout=300'
dpkg --configure -a
apt-get $wait -q update || echo "apt-get update: some repositories of this host failed; going on with what there is"
for list in /etc/apt/sources.list.d/ci-bootstrap-*.sources; do
  [ -e "$list" ] || continue
  apt-get $wait -q update -o APT::Update::Error-Mode=any -o Dir::Etc::sourcelist="$list" -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0
done
apt-get $wait -q install -y --no-install-recommends --allow-change-held-packages --allow-downgrades \
  -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold @PACKAGES@
"#;

const DNF: &str = "dnf -q -y install --setopt=install_weak_deps=False --disableexcludes=all @PACKAGES@\n";

impl Resource for PackageSet {
    fn probe(&self, ask: &mut Probe) {
        for name in self.install.keys() {
            match self.format {
                PackageFormat::Apt => ask.apt(name),
                PackageFormat::Rpm => ask.rpm(name),
            }
        }
        if let Some(path) = &self.settled_by {
            ask.path(path, None);
        }
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let differing = self.differing(seen)?;
        let settled = self.is_settled(seen)?;
        if let Some((name, Some(installed), wanted)) = differing
            .iter()
            .find(|(_, installed, _)| settled && installed.is_some())
        {
            return Ok(Comparison::Refused(format!(
                "{name} {installed} is in use by a cluster and the inventory asks for {wanted}; apply does not change it under running pods: put \
                 the running version into the inventory, or install the other one on this host by hand first"
            )));
        }
        let mut lines = Vec::new();
        for (name, installed, wanted) in &differing {
            lines.extend(installed.as_ref().map(|installed| format!("-{name} {installed}")));
            lines.push(format!("+{name} {wanted}").trim_end().to_owned());
        }
        lines.extend(self.unheld(seen).iter().map(|name| format!("+hold {name}")));
        let summary = if differing.is_empty() {
            "hold packages"
        } else {
            "install packages"
        };
        Ok(Comparison::from_lines(summary, lines))
    }

    fn action(&self, seen: &HostState, _known: &ActionInput) -> Action {
        let mut script = self.install_script(seen);
        if self.format == PackageFormat::Apt && !self.held.is_empty() {
            let _ = writeln!(script, "apt-mark hold {} >/dev/null", sh::words(&self.held));
        }
        Action::long("ci-bootstrap-packages", Duration::from_secs(1800), script)
    }

    fn touches(&self) -> Vec<Topic> {
        vec![Topic::Packages]
    }

    fn rests_on(&self) -> Vec<Topic> {
        // Another installation may bring or move these; a repository is read by the installation itself.
        vec![Topic::Packages]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(settled_by: Option<&str>) -> PackageSet {
        let install = [
            ("kubelet".to_owned(), "1.36.4-*".to_owned()),
            ("socat".to_owned(), String::new()),
        ];
        PackageSet {
            format: PackageFormat::Apt,
            install: install.into(),
            held: vec!["kubelet".into()],
            settled_by: settled_by.map(str::to_owned),
            upgraded_elsewhere: vec![],
        }
    }

    fn seen(apt: &str) -> HostState {
        let text = format!("\x1epaths\nregular file|600|root:root|1.0|/etc/k\n\x1eapt\n{apt}\x1eend\n");
        HostState::example(&text)
    }

    #[test]
    fn versions_match_by_prefix_and_without_epoch() {
        assert!(satisfies("1.36.4-1.1", "1.36.4-*") && satisfies("5:1.2-1", "1.2-1") && satisfies("9", ""));
        assert!(!satisfies("1.36.40-1", "1.36.4-*") && !satisfies("1.2-2", "1.2-1"));
    }

    #[test]
    fn installs_what_is_missing_and_holds_what_is_loose() {
        let verdict = packages(None).compare(&seen("kubelet|1.36.4-1.1|install|installed\n"));
        let Ok(Comparison::Differs(change)) = verdict else {
            unreachable!()
        };
        assert_eq!(change.detail, ["+socat", "+hold kubelet"]);
        let both = seen("kubelet|1.36.4-1.1|hold|installed\nsocat|1.7|hold|installed\n");
        assert_eq!(packages(None).compare(&both), Ok(Comparison::InSync));
    }

    #[test]
    fn a_removed_package_that_left_its_configuration_is_not_installed() {
        let verdict = packages(None).compare(&seen(
            "kubelet|1.36.4-1.1|deinstall|config-files\nsocat|1|hold|installed\n",
        ));
        assert!(matches!(verdict, Ok(Comparison::Differs(change)) if change.summary == "install packages"));
    }

    #[test]
    fn a_running_cluster_is_not_moved_to_another_version() {
        let other = seen("kubelet|1.35.1-1.1|hold|installed\nsocat|1.7|hold|installed\n");
        assert!(matches!(
            packages(Some("/etc/k")).compare(&other),
            Ok(Comparison::Refused(_))
        ));
        assert!(matches!(
            packages(Some("/etc/none")).compare(&other),
            Ok(Comparison::Differs(_))
        ));
    }

    #[test]
    fn what_another_step_upgrades_is_left_to_it_where_it_is_installed() {
        let mut packages = packages(Some("/etc/k"));
        packages.upgraded_elsewhere = vec!["kubelet".into()];
        let other = seen("kubelet|1.35.1-1.1|hold|installed\nsocat|1.7|hold|installed\n");
        assert_eq!(packages.compare(&other), Ok(Comparison::InSync));
        let missing = seen("socat|1.7|hold|installed\n");
        assert!(matches!(packages.compare(&missing), Ok(Comparison::Differs(_))));
        packages.settled_by = Some("/etc/none".into());
        assert!(matches!(packages.compare(&other), Ok(Comparison::Differs(_))));
    }
}
