//! Manifests of static pods that a power cut has taken away.

use std::time::Duration;

use serde::Deserialize;

use super::super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unreadable, sh};

/// The static pods of a control plane. `kubeadm upgrade` moves the old manifest to a folder of backups and then the new one in: a host that is
/// switched off between the two has none, and kubeadm refuses to go on for ever.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StaticPods {}

/// The section of the probe: lines of a component and the newest backup of its manifest.
const MISSING: &str = "static-pods";

const PROBE: &str = "[ -e /etc/kubernetes/kubelet.conf ] || exit 0
cd /etc/kubernetes/tmp 2>/dev/null || exit 0
for c in etcd kube-apiserver kube-controller-manager kube-scheduler; do
  [ ! -e ../manifests/$c.yaml ] || continue
  newest=$(ls -td kubeadm-backup-manifests-*/$c.yaml 2>/dev/null | head -n 1)
  [ -z \"$newest\" ] || echo \"$c /etc/kubernetes/tmp/$newest\"
done";

/// Component and backup of each that is missing. What is no such path is left alone.
fn missing(seen: &HostState) -> Vec<(&str, &str)> {
    let lines = seen
        .section(MISSING)
        .lines()
        .filter_map(|line| line.split_once(' '));
    lines
        .filter(|(component, backup)| {
            backup.starts_with("/etc/kubernetes/tmp/kubeadm-backup-manifests-")
                && backup.ends_with(&format!("/{component}.yaml"))
                && !backup.contains("..")
        })
        .collect()
}

impl Resource for StaticPods {
    fn probe(&self, ask: &mut Probe) {
        ask.script(MISSING, PROBE);
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let lines = missing(seen)
            .into_iter()
            .map(|(component, backup)| format!("+{component}, from {backup}"))
            .collect();
        Ok(Comparison::from_lines(
            "put back manifests that an interrupted upgrade has moved away",
            lines,
        ))
    }

    fn action(&self, seen: &HostState, _known: &ActionInput) -> Action {
        let mut script = String::from("umask 077\ncd /etc/kubernetes\n");
        for (component, backup) in missing(seen) {
            // kubelet reads every file of the folder, so the copy is made beside it.
            let (name, backup) = (sh::quote(&format!("{component}.yaml")), sh::quote(backup));
            script += &format!(
                "cp {backup} tmp/{name}.new\nsync tmp/{name}.new\nmv tmp/{name}.new manifests/{name}\n"
            );
        }
        Action::quick(script).within(Duration::from_secs(60))
    }

    fn touches(&self) -> Vec<Topic> {
        vec![Topic::Membership]
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Membership]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> HostState {
        HostState::example(&format!("\x1estatic-pods\n{text}\n\x1eend\n"))
    }

    #[test]
    fn a_manifest_between_two_renames_is_put_back() {
        let lost = seen(
            "kube-apiserver /etc/kubernetes/tmp/kubeadm-backup-manifests-2026-11-30-01-02-03/kube-apiserver.yaml",
        );
        assert!(matches!(StaticPods {}.compare(&lost), Ok(Comparison::Differs(_))));
        let script = StaticPods {}.action(&lost, &ActionInput::Nothing).script;
        assert!(
            script.contains("manifests/kube-apiserver.yaml") && sh::is_valid(&script),
            "{script}"
        );
        assert_eq!(StaticPods {}.compare(&seen("")), Ok(Comparison::InSync));
    }

    #[test]
    fn nothing_else_that_a_host_says_becomes_a_manifest() {
        for line in [
            "etcd /tmp/etcd.yaml",
            "etcd /etc/kubernetes/tmp/kubeadm-backup-manifests-1/../../../../tmp/etcd.yaml",
            "../../x /etc/kubernetes/tmp/kubeadm-backup-manifests-1/etcd.yaml",
        ] {
            assert_eq!(
                StaticPods {}.compare(&seen(line)),
                Ok(Comparison::InSync),
                "{line}"
            );
        }
    }
}
