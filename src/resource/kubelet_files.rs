//! Who may read the files that kubelet starts with: root alone, as CIS 4.1.1 and 4.1.9 ask for.

use serde::Deserialize;

use super::file::access_diff;
use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unreadable};

/// kubelet's configuration and the drop-ins of its unit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KubeletFiles {}

/// kubeadm writes it when the host joins.
const CONFIG: &str = "/var/lib/kubelet/config.yaml";
/// Where packages put kubeadm's drop-in, and where a site puts its own over it.
const DROP_INS: [&str; 2] = [
    "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf",
    "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf",
];
const MODE: &str = "600";
const SUMMARY: &str = "let root alone read kubelet's files";

fn paths() -> impl Iterator<Item = &'static str> {
    std::iter::once(CONFIG).chain(DROP_INS)
}

impl Resource for KubeletFiles {
    fn probe(&self, ask: &mut Probe) {
        for path in paths() {
            ask.path(path, None);
        }
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        if seen.path(CONFIG)?.is_none() {
            let line = format!("+{CONFIG}: mode {MODE}, as soon as it is there");
            return Ok(Comparison::from_lines(SUMMARY, vec![line]));
        }
        let mut lines = Vec::new();
        for path in paths() {
            // A link is the site's: to mask the drop-in, or to keep it elsewhere.
            if let Some(state) = seen.path(path)?.filter(|state| state.kind == "regular file") {
                let access = access_diff([&state.mode, "root:root"], [MODE, "root:root"]);
                lines.extend(access.iter().map(|line| format!("{line} of {path}")));
            }
        }
        Ok(Comparison::from_lines(SUMMARY, lines))
    }

    fn action(&self, _seen: &HostState, _known: &ActionInput) -> Action {
        let paths: Vec<_> = paths().collect();
        Action::quick(format!(
            "for path in {}; do if [ -f $path ] && [ ! -L $path ]; then chown root:root $path; chmod {MODE} $path; fi; done\n",
            paths.join(" ")
        ))
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Packages, Topic::Membership, Topic::Path(CONFIG.to_owned())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::sh;

    fn verdict(paths: &str) -> Option<Comparison> {
        let seen = HostState::example(&format!("\x1epaths\n{paths}\x1eend\n"));
        KubeletFiles {}.compare(&seen).ok()
    }

    #[test]
    fn a_file_that_others_can_read_is_closed() {
        let file = |mode: &str, path: &str| format!("regular file|{mode}|root:root|1.0|{path}\n");
        let closed = file("600", CONFIG);
        assert_eq!(verdict(&closed), Some(Comparison::InSync), "a drop-in elsewhere");
        let open = closed + &file("644", DROP_INS[0]);
        let Some(Comparison::Differs(change)) = verdict(&open) else {
            unreachable!("{open}")
        };
        assert_eq!(
            change.detail,
            [
                format!("-mode 644 of {}", DROP_INS[0]),
                format!("+mode 600 of {}", DROP_INS[0])
            ]
        );
    }

    #[test]
    fn a_link_is_the_sites() {
        let closed = format!("regular file|600|root:root|1.0|{CONFIG}\n");
        let masked = closed + &format!("symbolic link|777|root:root|1.0|{}\n", DROP_INS[1]);
        assert_eq!(verdict(&masked), Some(Comparison::InSync));
        let script = KubeletFiles {}
            .action(&HostState::default(), &ActionInput::Nothing)
            .script;
        assert!(script.contains("[ ! -L $path ]"), "{script}");
    }

    #[test]
    fn a_host_that_will_join_is_planned_for() {
        assert!(matches!(verdict(""), Some(Comparison::Differs(_))));
    }

    #[test]
    fn the_script_is_valid_shell() {
        let action = KubeletFiles {}.action(&HostState::default(), &ActionInput::Nothing);
        assert!(sh::is_valid(&action.script));
    }
}
