//! The fields of kubelet's configuration that hardening owns, on one node.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Action, ActionInput, Change, Comparison, HostState, Probe, Resource, Topic, Unreadable};

/// Fields of kubelet's configuration. kubeadm writes the file again from the cluster's `ConfigMap`, which has to say the same by then; a
/// restart of kubelet is another step's.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct KubeletSettings {
    /// Whether the fields are to be there.
    pub hardened: bool,
    /// Fields of the first level, with values that take one line.
    pub fields: Map<String, Value>,
}

/// The section of the probe.
const SECTION: &str = "kubelet settings";
const CONFIG: &str = "/var/lib/kubelet/config.yaml";
/// One file is written, from an answer of the API server.
const PATIENCE: Duration = Duration::from_secs(300);
/// kubeadm keeps a copy of the old file below /etc/kubernetes/tmp. A control plane may restart its API server meanwhile.
const ACTION: &str = "n=0
until said=$(timeout 60 kubeadm upgrade node phase kubelet-config 2>&1); do
  n=$((n + 1)); [ $n -lt 30 ] || { echo \"$said\"; exit 1; }
  sleep 2
done
";

impl KubeletSettings {
    /// The lines that differ from those of the file.
    fn differences(&self, seen: &[&str]) -> Vec<String> {
        let lines: Vec<_> = self
            .fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        let has = |line: &String| seen.contains(&line.as_str());
        if self.hardened {
            let missing = lines.iter().filter(|line| !has(line));
            missing.map(|line| format!("+{line}")).collect()
        } else if lines.iter().all(has) {
            lines.iter().map(|line| format!("-{line}")).collect()
        } else {
            Vec::new()
        }
    }
}

impl Resource for KubeletSettings {
    fn probe(&self, ask: &mut Probe) {
        // A host without the file is no node yet: it joins with what it shall have.
        let probe = format!("[ ! -e {CONFIG} ] || {{ echo there; grep '^[A-Za-z]*: ' {CONFIG}; }}; true");
        ask.script(SECTION, &probe);
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let seen: Vec<_> = seen.section(SECTION).lines().map(str::trim_end).collect();
        if !seen.contains(&"there") {
            return Ok(Comparison::InSync);
        }
        let mut lines = self.differences(&seen);
        if lines.is_empty() {
            return Ok(Comparison::InSync);
        }
        lines.push(format!("-what was changed in {CONFIG} by hand"));
        let summary = format!("write {CONFIG} as the cluster has it");
        Ok(Comparison::Differs(Change::new(summary).with_detail(lines)))
    }

    fn action(&self, _seen: &HostState, _known: &ActionInput) -> Action {
        Action::quick(ACTION).within(PATIENCE)
    }

    fn touches(&self) -> Vec<Topic> {
        vec![Topic::Path(CONFIG.to_owned())]
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Packages, Topic::Membership, Topic::Path(CONFIG.to_owned())]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn details(hardened: bool, section: &str) -> Vec<String> {
        let fields = json!({"seccompDefault": true, "podPidsLimit": 4096});
        let settings = KubeletSettings {
            hardened,
            fields: fields.as_object().cloned().unwrap_or_default(),
        };
        let seen = HostState::example(&format!("\x1ekubelet settings\n{section}\x1eend\n"));
        match settings.compare(&seen) {
            Ok(Comparison::Differs(mut change)) => {
                assert!(change.detail.pop().is_some_and(|line| line.contains("by hand")));
                change.detail
            }
            other => {
                assert_eq!(other, Ok(Comparison::InSync));
                Vec::new()
            }
        }
    }

    #[test]
    fn kubelet_follows_the_inventory_in_both_directions() {
        let on = "there\nmaxPods: 110\nseccompDefault: true\npodPidsLimit: 4096\n";
        assert_eq!(details(true, on), [""; 0]);
        assert_eq!(
            details(false, on),
            ["-seccompDefault: true", "-podPidsLimit: 4096"]
        );
        let off = "there\nmaxPods: 110\nseccompDefault: false\n";
        assert_eq!(details(false, off), [""; 0]);
        assert_eq!(
            details(true, off),
            ["+seccompDefault: true", "+podPidsLimit: 4096"]
        );
    }

    #[test]
    fn the_script_is_valid_shell() {
        assert!(crate::resource::sh::is_valid(ACTION));
    }

    #[test]
    fn a_host_that_has_not_joined_lacks_nothing_and_a_limit_of_the_sites_stays() {
        assert_eq!(details(true, ""), [""; 0]);
        assert_eq!(
            details(false, "there\nseccompDefault: true\npodPidsLimit: 100\n"),
            [""; 0]
        );
    }
}
