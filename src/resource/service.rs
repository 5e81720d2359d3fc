//! A systemd service that runs, starts at boot, and has read its configuration.

use std::time::Duration;

use serde::Deserialize;

use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unit, Unreadable, sh};

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
    fn differences(&self, seen: &HostState) -> Result<Vec<String>, Unreadable> {
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

    /// When it last read its files. systemd does not remember reloads (a daemon-reload moves its own time of change), so
    /// the action leaves a stamp that is gone with the boot.
    fn read_since(&self, unit: &Unit, seen: &HostState) -> Result<Option<f64>, Unreadable> {
        let reloaded = if self.reload {
            seen.path(&self.stamp())?
        } else {
            None
        };
        let Some(started) = unit.started else {
            return Ok(None);
        };
        Ok(Some(
            reloaded.map_or(started, |stamp| stamp.modified.max(started)),
        ))
    }

    fn stamp(&self) -> String {
        format!("/run/ci-bootstrap/{}.reloaded", self.name)
    }

    /// What the running process has not read yet.
    fn stale(&self, unit: &Unit, seen: &HostState) -> Result<Vec<String>, Unreadable> {
        let verb = if self.reload { "reload" } else { "restart" };
        let since = self.read_since(unit, seen)?;
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
        if self.reload {
            ask.path(&self.stamp(), None);
        }
        for path in &self.reads {
            ask.path(path, None);
        }
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        Ok(Comparison::from_lines(
            format!("bring {} up to date", self.name),
            self.differences(seen)?,
        ))
    }

    fn action(&self, _seen: &HostState, _known: &ActionInput) -> Action {
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
                if self.reload {
                    let stamp = sh::quote(&self.stamp());
                    script += &format!("mkdir -p -m 700 /run/ci-bootstrap\n: > {stamp}\n");
                }
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

    const STAMP: &str = "/run/ci-bootstrap/a.service.reloaded";

    fn service(reload: bool) -> Service {
        Service {
            name: "a.service".into(),
            enabled: yes(),
            running: yes(),
            reload,
            reads: vec!["/etc/a".into()],
        }
    }

    /// A service whose process started at 1795258381.5. The unit's own time of change is later, as after a `daemon-reload`.
    fn verdict(service: &Service, active: &str, files: &[(&str, &str)]) -> Option<Comparison> {
        let files: String = files
            .iter()
            .map(|(path, mtime)| format!("regular file|644|root:root|{mtime}|{path}\n"))
            .collect();
        let seen = HostState::example(&format!(
            "\x1eunits\nId=a.service\nLoadState=loaded\nActiveState={active}\nUnitFileState=enabled\n\
             ExecMainStartTimestamp=Sat 2026-11-21 10:53:01.500000 UTC\n\
             StateChangeTimestamp=Sat 2026-11-21 10:59:59.000000 UTC\n\x1epaths\n{files}\x1eend\n"
        ));
        service.compare(&seen).ok()
    }

    fn differs(verdict: Option<&Comparison>) -> bool {
        matches!(verdict, Some(Comparison::Differs(_)))
    }

    #[test]
    fn restarts_only_for_a_newer_file() {
        let after = |active, mtime| verdict(&service(false), active, &[("/etc/a", mtime)]);
        assert_eq!(after("active", "1795258381.4"), Some(Comparison::InSync));
        assert!(differs(after("active", "1795258381.6").as_ref()));
        assert!(differs(after("failed", "1.0").as_ref()));
    }

    #[test]
    fn reloads_for_a_file_that_is_newer_than_the_last_reload() {
        let after = |files| verdict(&service(true), "active", files);
        assert!(differs(after(&[("/etc/a", "1795258390.0")]).as_ref()));
        let older = [("/etc/a", "1795258390.0"), (STAMP, "1795258389.0")];
        assert!(differs(after(&older).as_ref()));
        let read = [("/etc/a", "1795258390.0"), (STAMP, "1795258391.0")];
        assert_eq!(after(&read), Some(Comparison::InSync));
        // A stamp of before the last start says nothing.
        let old = [("/etc/a", "1795258380.0"), (STAMP, "1795258370.0")];
        assert_eq!(after(&old), Some(Comparison::InSync));
    }

    #[test]
    fn only_a_reload_leaves_a_stamp() {
        let script = |service: &Service| {
            service
                .action(&HostState::default(), &ActionInput::default())
                .script
        };
        let reload = script(&service(true));
        let at = |text: &str| reload.find(text);
        assert!(at("systemctl reload-or-restart a.service").is_some(), "{reload}");
        assert!(at(STAMP) > at("systemctl reload-or-restart"), "{reload}");
        assert!(!script(&service(false)).contains("reloaded"));
    }
}
