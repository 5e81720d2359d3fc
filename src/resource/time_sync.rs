//! A clock that something keeps right.

use serde::Deserialize;

use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unreadable, sh, site_file};
use std::time::Duration;

/// Services that keep the clock, by any of which a host may live.
const DAEMONS: [&str; 5] = [
    "chrony.service",
    "chronyd.service",
    "systemd-timesyncd.service",
    "ntpsec.service",
    "ntpd.service",
];

/// A time service. Whatever the host already runs is fine, unless the inventory names servers: then chrony asks those.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TimeSync {
    /// NTP servers of the site; may be empty.
    #[serde(default)]
    pub servers: Vec<String>,
}

/// Where chrony reads its configuration, and the name of its service.
fn chrony(seen: &HostState) -> (&'static str, &'static str) {
    if seen.os().family == "rhel" {
        ("/etc/chrony.conf", "chronyd.service")
    } else {
        ("/etc/chrony/chrony.conf", "chrony.service")
    }
}

impl TimeSync {
    fn wanted(&self) -> String {
        let servers: String = self
            .servers
            .iter()
            .map(|server| format!("server {server} iburst\n"))
            .collect();
        format!(
            "# Written by ci-bootstrap.\n{servers}driftfile /var/lib/chrony/drift\nmakestep 1.0 3\nrtcsync\n"
        )
    }
}

impl Resource for TimeSync {
    fn probe(&self, ask: &mut Probe) {
        for daemon in DAEMONS {
            ask.unit(daemon);
        }
        for path in ["/etc/chrony.conf", "/etc/chrony/chrony.conf"] {
            ask.path(path, None);
            if !self.servers.is_empty() {
                ask.content(path);
            }
        }
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let (path, service) = chrony(seen);
        if self.servers.is_empty() {
            let kept = DAEMONS.iter().any(|daemon| seen.unit(daemon).active == "active");
            let lines = if kept { vec![] } else { vec![format!("+{service}")] };
            return Ok(Comparison::from_lines("keep the clock with chrony", lines));
        }
        let mut lines = super::text_diff::diff(seen.content(path).unwrap_or(""), &self.wanted());
        let unit = seen.unit(service);
        if unit.active != "active" {
            lines.push(format!("+{service}"));
        } else if seen
            .path(path)?
            .zip(unit.started)
            .is_some_and(|(file, started)| file.modified > started)
        {
            lines.push(format!("+restart {service}"));
        }
        Ok(Comparison::from_lines("keep the clock with chrony", lines))
    }

    fn action(&self, seen: &HostState, _known: &ActionInput) -> Action {
        let (path, service) = chrony(seen);
        let install = if seen.os().family == "rhel" {
            "rpm -q chrony >/dev/null || dnf -q -y install chrony\n"
        } else {
            "dpkg-query -W -f '${db:Status-Status}' chrony 2>/dev/null | grep -qx installed || \
             { export DEBIAN_FRONTEND=noninteractive; apt-get -q update || true; apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends chrony; }\n"
        };
        let configure = if self.servers.is_empty() {
            String::new()
        } else {
            let configure = site_file::edit(path, &sh::print(&self.wanted()));
            format!("{}{configure}", site_file::keep_copy(path))
        };
        Action::long(
            "ci-bootstrap-time",
            Duration::from_secs(600),
            format!("{install}{configure}systemctl -q enable {service}\nsystemctl restart {service}\n"),
        )
    }

    fn touches(&self) -> Vec<Topic> {
        vec![Topic::Packages]
    }
}
