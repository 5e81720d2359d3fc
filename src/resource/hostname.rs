//! The host's name, now and after a reboot.

use serde::Deserialize;

use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Unreadable, sh, site_file};

/// Static and running hostname.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Hostname {
    /// The name of the host in the inventory, which becomes its node's name.
    pub name: String,
}

impl Resource for Hostname {
    fn probe(&self, ask: &mut Probe) {
        ask.sysctl("kernel.hostname");
        ask.content("/etc/hostname");
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let running = seen.sysctl("kernel.hostname").unwrap_or_default();
        let file = seen.content("/etc/hostname").unwrap_or("").trim();
        let mut lines = Vec::new();
        if running != self.name {
            lines.extend([format!("-running {running}"), format!("+running {}", self.name)]);
        }
        if file != self.name {
            lines.extend([
                format!("-/etc/hostname {file}"),
                format!("+/etc/hostname {}", self.name),
            ]);
        }
        Ok(Comparison::from_lines(
            format!("name the host {}", self.name),
            lines,
        ))
    }

    fn action(&self, _seen: &HostState, _known: &ActionInput) -> Action {
        // The file first: hostnamectl writes it too, and a write that is killed after that would leave its half behind for good.
        // hostnamectl needs D-Bus; a host without it still gets its name.
        let name = sh::quote(&self.name);
        let write = site_file::edit("/etc/hostname", &sh::print(&self.name));
        Action::quick(format!(
            "{write}hostnamectl set-hostname {name} 2>/dev/null || true\n\
                               [ \"$(cat /proc/sys/kernel/hostname)\" = {name} ] || printf %s {name} > /proc/sys/kernel/hostname\n"
        ))
    }
}
