//! Kernel modules, loaded now and at every boot.

use serde::Deserialize;

use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unreadable, sh};

/// Modules that have to be loaded. Their being loaded at boot is a file in `/etc/modules-load.d`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct KernelModules {
    /// Module names as `modprobe` takes them.
    pub names: Vec<String>,
}

impl KernelModules {
    fn missing(&self, seen: &HostState) -> Vec<&String> {
        self.names.iter().filter(|name| !seen.module(name)).collect()
    }
}

impl Resource for KernelModules {
    fn probe(&self, ask: &mut Probe) {
        for name in &self.names {
            ask.module(name);
        }
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let lines = self.missing(seen).iter().map(|name| format!("+{name}")).collect();
        Ok(Comparison::from_lines("load kernel modules", lines))
    }

    fn action(&self, seen: &HostState, _known: &ActionInput) -> Action {
        let missing = sh::words(self.missing(seen));
        Action::quick(format!(
            "for module in {missing}; do\n  modprobe \"$module\" || {{ echo \"this kernel ($(uname -r)) has no module $module; \
             install the kernel's extra modules, boot another kernel, or choose settings that do without it\"; exit 1; }}\ndone\n"
        ))
    }

    fn touches(&self) -> Vec<Topic> {
        vec![Topic::Modules]
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Packages]
    }
}
