//! A systemd service that runs, starts at boot, and has read its configuration.

use std::time::Duration;

use serde::Deserialize;

use super::{Action, Known, Probe, Resource, Seen, Topic, Unit, Unreadable, Verdict, sh};

/// A service. It is restarted because its start is older than a file it reads, so a run that was killed between
/// the writing and the restart is finished by the next.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Service {
    /// Full unit name, such as `containerd.service`.
    pub name: String,
    /// Whether it starts at boot; null leaves that alone.
    #[serde(default = "yes")]
    pub enabled: Option<bool>,
    /// Whether it runs now; null leaves that alone.
    #[serde(default = "yes")]
    pub running: Option<bool>,
    /// Whether it reads changed files by a reload, which interrupts nothing.
    #[serde(default)]
    pub reload: bool,
    /// Files it reads at start.
    #[serde(default)]
    pub reads: Vec<String>,
}

#[expect(clippy::unnecessary_wraps, reason = "the default of a field that may be null")]
fn yes() -> Option<bool> {
    Some(true)
}

impl Service {
    fn differences(&self, seen: &Seen) -> Result<Vec<String>, Unreadable> {
        let unit = seen.unit(&self.name);
        let mut lines = self.boot_differences(&unit);
        let running = matches!(unit.active.as_str(), "active" | "reloading");
        match self.running {
            Some(true) if running => lines.extend(self.stale(&unit, seen)?),
            Some(true) => lines.extend([format!("-{}", or_absent(&unit.active)), "+active".to_owned()]),
            Some(false) if running || unit.active == "activating" => {
                lines.extend(["-active".to_owned(), "+inactive".to_owned()]);
            }
            _ => {}
        }
        Ok(lines)
    }

    fn boot_differences(&self, unit: &Unit) -> Vec<String> {
        let at_boot = matches!(
            unit.enabled.as_str(),
            "enabled" | "static" | "alias" | "generated" | "indirect"
        );
        match self.enabled {
            Some(true) if unit.masked => vec!["-masked".to_owned()],
            Some(true) if !at_boot => vec![
                format!("-at boot: {}", or_absent(&unit.enabled)),
                "+at boot: enabled".to_owned(),
            ],
            Some(false) if unit.enabled == "enabled" => {
                vec!["-at boot: enabled".to_owned(), "+at boot: disabled".to_owned()]
            }
            _ => vec![],
        }
    }

    /// What the running process has not read yet.
    fn stale(&self, unit: &Unit, seen: &Seen) -> Result<Vec<String>, Unreadable> {
        let verb = if self.reload { "reload" } else { "restart" };
        let since = if self.reload { unit.changed } else { unit.started };
        let mut lines = Vec::new();
        for path in &self.reads {
            let newer = seen
                .path(path)?
                .zip(since)
                .is_some_and(|(file, since)| file.modified > since);
            if newer {
                lines.push(format!("+{verb}: {path} is newer than the running process"));
            }
        }
        if unit.needs_reload {
            lines.push("+restart: its unit file has changed".to_owned());
        }
        Ok(lines)
    }
}

fn or_absent(text: &str) -> &str {
    if text.is_empty() { "absent" } else { text }
}

impl Resource for Service {
    fn probe(&self, ask: &mut Probe) {
        ask.unit(&self.name);
        for path in &self.reads {
            ask.path(path, None);
        }
    }

    fn compare(&self, seen: &Seen) -> Result<Verdict, Unreadable> {
        Ok(Verdict::from_lines(
            format!("bring {} up to date", self.name),
            self.differences(seen)?,
        ))
    }

    fn action(&self, _seen: &Seen, _known: &Known) -> Action {
        let name = sh::quote(&self.name);
        let mut script = "systemctl daemon-reload\n".to_owned();
        match self.enabled {
            Some(true) => script += &format!("systemctl -q unmask {name}\nsystemctl -q enable {name}\n"),
            Some(false) => script += &format!("systemctl -q disable {name}\n"),
            None => {}
        }
        let verb = if self.reload {
            "reload-or-restart"
        } else {
            "restart"
        };
        match self.running {
            Some(true) => {
                script += &format!(
                    "systemctl {verb} {name} || {{ journalctl --sync || true; journalctl -q --no-pager -o cat -n 20 -u {name}; exit 1; }}\n"
                );
            }
            Some(false) => script += &format!("systemctl stop {name}\n"),
            None => {}
        }
        Action::quick(script).within(Duration::from_secs(150))
    }

    fn touches(&self) -> Vec<Topic> {
        vec![Topic::Unit(self.name.clone())]
    }

    fn follows(&self, topic: &Topic) -> Option<String> {
        let verb = if self.reload { "reload" } else { "restart" };
        match topic {
            Topic::Path(path) if self.running == Some(true) && self.reads.contains(path) => {
                Some(format!("{verb} {} because {path} changes", self.name))
            }
            _ => None,
        }
    }

    fn rests_on(&self) -> Vec<Topic> {
        let files = self.reads.iter().map(|path| Topic::Path(path.clone()));
        files
            .chain([Topic::Packages, Topic::Unit(self.name.clone())])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(active: &str, mtime: &str) -> Verdict {
        let service = Service {
            name: "a.service".into(),
            enabled: yes(),
            running: yes(),
            reload: false,
            reads: vec!["/etc/a".into()],
        };
        let seen = Seen::example(&format!(
            "\x1eunits\nId=a.service\nLoadState=loaded\nActiveState={active}\nUnitFileState=enabled\n\
             ExecMainStartTimestamp=Sat 2026-11-21 10:53:01.500000 UTC\n\x1epaths\nregular file|644|root:root|{mtime}|/etc/a\n\x1eend\n"
        ));
        service.compare(&seen).unwrap_or(Verdict::InSync)
    }

    #[test]
    fn restarts_only_for_a_newer_file() {
        assert_eq!(verdict("active", "1795258381.4"), Verdict::InSync);
        assert!(matches!(verdict("active", "1795258381.6"), Verdict::Differs(_)));
        assert!(matches!(verdict("failed", "1.0"), Verdict::Differs(_)));
    }
}
