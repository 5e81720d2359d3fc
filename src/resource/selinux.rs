//! `SELinux`' mode. It is never turned off.

use serde::Deserialize;

use super::text_diff::diff;
use super::{Action, Known, Probe, Resource, Seen, Unreadable, Verdict, sh};

const CONFIG: &str = "/etc/selinux/config";

/// `SELinux` on hosts that have it; on others there is nothing to do.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Selinux {
    /// `enforcing` or `permissive`.
    pub mode: Mode,
}

/// The two modes that the program sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Policy violations are refused.
    Enforcing,
    /// Policy violations are logged.
    Permissive,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Enforcing => "enforcing",
            Self::Permissive => "permissive",
        }
    }
}

impl Selinux {
    /// The configuration with our mode. `disabled` stays: turning `SELinux` on relabels the host, which is a person's decision.
    fn place(&self, config: &str) -> String {
        let set = |line: &str| match line.strip_prefix("SELINUX=") {
            Some(mode) if mode.trim() != "disabled" => format!("SELINUX={}\n", self.mode.name()),
            _ => format!("{line}\n"),
        };
        config.lines().map(set).collect()
    }

    fn running(seen: &Seen) -> Option<Mode> {
        match seen.section("selinux").trim() {
            "1" => Some(Mode::Enforcing),
            "0" => Some(Mode::Permissive),
            _ => None,
        }
    }
}

impl Resource for Selinux {
    fn probe(&self, ask: &mut Probe) {
        ask.content(CONFIG);
        ask.script("selinux", "[ ! -r /sys/fs/selinux/enforce ] || { read -r mode < /sys/fs/selinux/enforce || true; echo \"$mode\"; }");
    }

    fn compare(&self, seen: &Seen) -> Result<Verdict, Unreadable> {
        let mut lines = Vec::new();
        if let Some(running) = Self::running(seen).filter(|running| *running != self.mode) {
            lines.extend([
                format!("-running {}", running.name()),
                format!("+running {}", self.mode.name()),
            ]);
        }
        if let Some(config) = seen.content(CONFIG) {
            lines.extend(diff(config, &self.place(config)));
        }
        Ok(Verdict::from_lines(
            format!("make SELinux {}", self.mode.name()),
            lines,
        ))
    }

    fn action(&self, seen: &Seen, _known: &Known) -> Action {
        let mut script = String::new();
        if Self::running(seen).is_some_and(|running| running != self.mode) {
            script.push_str(&format!(
                "setenforce {}\n",
                u8::from(self.mode == Mode::Enforcing)
            ));
        }
        if let Some(config) = seen.content(CONFIG) {
            script.push_str(&sh::write_file(CONFIG, &self.place(config), "0644", "root:root"));
        }
        Action::quick(script)
    }
}
