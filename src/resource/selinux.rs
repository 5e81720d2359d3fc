//! `SELinux`' mode. It is never turned off.

use serde::Deserialize;

use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Unreadable, sh, site_file};

const CONFIG: &str = "/etc/selinux/config";

/// `SELinux` on hosts that have it; on others there is nothing to do.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Selinux {
    /// `enforcing` or `permissive`.
    pub mode: SelinuxMode,
}

/// The two modes that the program sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SelinuxMode {
    /// Policy violations are refused.
    Enforcing,
    /// Policy violations are logged.
    Permissive,
}

impl SelinuxMode {
    fn name(self) -> &'static str {
        match self {
            Self::Enforcing => "enforcing",
            Self::Permissive => "permissive",
        }
    }
}

/// Commands that print the line of a configuration that says the mode.
fn configured(path: &str) -> String {
    format!("grep -as '^SELINUX=' {}\n", sh::quote(path))
}

impl Selinux {
    /// Commands that put our mode into a configuration. `disabled` stays: turning `SELinux` on relabels the host, which is a person's
    /// decision.
    fn configure(&self, path: &str) -> String {
        let program = format!(
            "/^SELINUX=[[:space:]]*disabled/!s/^SELINUX=[[:space:]]*[^[:space:]]*/SELINUX={}/",
            self.mode.name()
        );
        site_file::edit(
            path,
            &format!("LC_ALL=C sed -e {} -- \"$old\"", sh::quote(&program)),
        )
    }

    /// Mode after a reboot, where it is none of ours.
    fn other_at_boot<'a>(&self, seen: &'a HostState) -> Option<&'a str> {
        let lines = seen.section("selinux config").lines();
        let mut modes = lines.filter_map(|line| Some(line.strip_prefix("SELINUX=")?.trim()));
        modes.find(|mode| !mode.starts_with("disabled") && *mode != self.mode.name())
    }

    fn running(seen: &HostState) -> Option<SelinuxMode> {
        match seen.section("selinux").trim() {
            "1" => Some(SelinuxMode::Enforcing),
            "0" => Some(SelinuxMode::Permissive),
            _ => None,
        }
    }
}

impl Resource for Selinux {
    fn probe(&self, ask: &mut Probe) {
        ask.script("selinux config", &configured(CONFIG));
        ask.script("selinux", "[ ! -r /sys/fs/selinux/enforce ] || { read -r mode < /sys/fs/selinux/enforce || true; echo \"$mode\"; }");
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let mut lines = Vec::new();
        if let Some(running) = Self::running(seen).filter(|running| *running != self.mode) {
            lines.extend([
                format!("-running {}", running.name()),
                format!("+running {}", self.mode.name()),
            ]);
        }
        if let Some(mode) = self.other_at_boot(seen) {
            lines.extend([
                format!("-SELINUX={mode}"),
                format!("+SELINUX={}", self.mode.name()),
            ]);
        }
        Ok(Comparison::from_lines(
            format!("make SELinux {}", self.mode.name()),
            lines,
        ))
    }

    fn action(&self, seen: &HostState, _known: &ActionInput) -> Action {
        let mut script = String::new();
        if Self::running(seen).is_some_and(|running| running != self.mode) {
            script.push_str(&format!(
                "setenforce {}\n",
                u8::from(self.mode == SelinuxMode::Enforcing)
            ));
        }
        if self.other_at_boot(seen).is_some() {
            script.push_str(&self.configure(CONFIG));
        }
        Action::quick(script)
    }
}

#[cfg(test)]
mod tests {
    use super::super::site_file::tests::{Site, run};
    use super::*;

    fn configured_as(mode: SelinuxMode, before: &[u8]) -> (Vec<u8>, String) {
        let site = Site::with(before, true);
        let (done, printed) = run(&Selinux { mode }.configure(&site.path()));
        assert!(done && site.is_whole(true), "{printed}");
        (site.content(), run(&configured(&site.path())).1)
    }

    #[test]
    fn one_word_changes_and_nothing_else() {
        let (after, line) = configured_as(
            SelinuxMode::Permissive,
            b"# SELINUX= says \xe9\r\nSELINUX=enforcing\r\nSELINUXTYPE=targeted",
        );
        assert_eq!(
            after,
            b"# SELINUX= says \xe9\r\nSELINUX=permissive\r\nSELINUXTYPE=targeted"
        );
        let seen = HostState::example(&format!("\x1eselinux config\n{line}\x1eend\n"));
        let (permissive, enforcing) = (
            Selinux {
                mode: SelinuxMode::Permissive,
            },
            Selinux {
                mode: SelinuxMode::Enforcing,
            },
        );
        assert_eq!(permissive.compare(&seen), Ok(Comparison::InSync));
        assert!(
            matches!(enforcing.compare(&seen), Ok(Comparison::Differs(change)) if change.detail == ["-SELINUX=permissive", "+SELINUX=enforcing"])
        );
    }

    #[test]
    fn a_host_without_selinux_stays_without() {
        let (after, line) = configured_as(SelinuxMode::Enforcing, b"SELINUX=disabled\n");
        assert_eq!(after, b"SELINUX=disabled\n");
        let seen = HostState::example(&format!("\x1eselinux config\n{line}\x1eend\n"));
        assert_eq!(
            Selinux {
                mode: SelinuxMode::Enforcing
            }
            .compare(&seen),
            Ok(Comparison::InSync)
        );
    }
}
