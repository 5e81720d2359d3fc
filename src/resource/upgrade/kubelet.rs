//! kubelet at another release.

use std::time::Duration;

use serde::Deserialize;

use super::super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unreadable, sh};
use super::node_release::{self, NodeRelease, PACKAGES, Release};
use super::script::{ARCHIVES, explain_failure, packages};

/// kubelet, kubeadm and kubectl of a node at the wanted release. Containers go on running while kubelet restarts.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct KubeletUpgrade {
    /// Node name.
    pub node: String,
    /// Address on which the API server of a control plane listens; none for a worker.
    #[serde(default)]
    pub address: Option<String>,
    /// The wanted release.
    pub version: String,
}

/// Waits until the API server has heard from the new kubelet.
const REPORTED: &str = "n=0; while :; do
  said=$(timeout 20 kubectl --kubeconfig /etc/kubernetes/kubelet.conf --request-timeout=10s get --raw /api/v1/nodes/@NODE@ 2>&1 | tr -d '\\n') || true
  case $said in *'\"kubeletVersion\":\"v@VERSION@\"'*) echo \"$said\" | tr '{' '\\n' | grep '\"type\":\"Ready\"' | grep -q '\"status\":\"True\"' && break ;; esac
  n=$((n+1))
  [ $n -lt 60 ] || { echo 'the node is not ready at the new release; kubelet says:'; timeout 10 journalctl -u kubelet -n 15 -o cat --no-pager || true; exit 1; }
  sleep 3
done
";

impl KubeletUpgrade {
    fn due(&self, found: &NodeRelease) -> Vec<String> {
        let Some(wanted) = Release::parse(&self.version).filter(|_| found.is_member) else {
            return Vec::new();
        };
        let mut lines = found.other_packages(&PACKAGES, wanted);
        let installed = found.packages.get("kubelet").copied() == Some(wanted);
        // A killed run may have installed the package and not restarted the process.
        if let Some(running) = found.kubelet.filter(|running| installed && *running != wanted) {
            lines.extend([
                format!("-running kubelet {running}"),
                format!("+running kubelet {wanted}"),
            ]);
        }
        lines
    }

    fn failure(&self) -> Vec<String> {
        vec![
            format!(
                "The upgrade of kubelet on {} to {} has not ended. Its containers go on running; no node after it is touched.",
                self.node, self.version
            ),
            "Fix the cause above and apply again: it goes on where it stopped. An older kubelet may stay beside the new control plane meanwhile. docs/upgrade.md has more."
                .to_owned(),
        ]
    }
}

impl Resource for KubeletUpgrade {
    fn probe(&self, ask: &mut Probe) {
        node_release::ask_node(ask, &self.node, self.address.as_deref());
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let summary = format!("upgrade kubelet of {} to Kubernetes {}", self.node, self.version);
        Ok(Comparison::from_lines(
            summary,
            self.due(&NodeRelease::read(seen)),
        ))
    }

    fn action(&self, seen: &HostState, _known: &ActionInput) -> Action {
        let found = NodeRelease::read(seen);
        let wanted = Release::parse(&self.version);
        let other = |name: &&str| found.packages.get(*name).copied() != wanted;
        let mut script = explain_failure(&self.failure());
        if other(&"kubeadm") {
            script += &packages(&["kubeadm"], &self.version, false);
        }
        // The configuration first: a kubelet of the new release then says that it was written.
        script += "kubeadm upgrade node phase kubelet-config\n";
        let rest: Vec<_> = PACKAGES
            .into_iter()
            .filter(|name| *name != "kubeadm" && other(name))
            .collect();
        if !rest.is_empty() {
            script += &packages(&rest, &self.version, false);
        }
        script += "systemctl daemon-reload\nsystemctl restart kubelet\n";
        script += &REPORTED
            .replace("@NODE@", &self.node)
            .replace("@VERSION@", &self.version);
        script += &format!("rm -rf --one-file-system {}\n", sh::quote(ARCHIVES));
        Action::long("ci-bootstrap-upgrade", Duration::from_secs(1200), script)
    }

    fn touches(&self) -> Vec<Topic> {
        vec![
            Topic::Packages,
            Topic::Membership,
            Topic::Unit("kubelet.service".to_owned()),
        ]
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Packages, Topic::Membership]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubelet() -> KubeletUpgrade {
        KubeletUpgrade {
            node: "w1".into(),
            address: None,
            version: "1.36.5".into(),
        }
    }

    fn seen(packages: [&str; 3], running: &str) -> HostState {
        let [kubeadm, kubectl, kubelet] = packages;
        HostState::example(&format!(
            "\x1ekubernetes-release\nmember\npackage kubeadm {kubeadm}\npackage kubectl {kubectl}\npackage kubelet {kubelet}\n\
             \x1ekubernetes-release-in-the-cluster\nNode {running}\n\x1eend\n"
        ))
    }

    #[test]
    fn what_is_due_follows_from_packages_and_from_the_process() {
        let (old, new) = ("1.35.8-1.1", "1.36.5-1.1");
        let due = |packages, running| kubelet().compare(&seen(packages, running)) != Ok(Comparison::InSync);
        assert!(due([old; 3], "v1.35.8"));
        assert!(due([new, old, old], "v1.35.8"), "kubeadm alone");
        assert!(due([new; 3], "v1.35.8"), "killed before the restart");
        assert!(!due([new; 3], "v1.36.5"));
        assert!(
            !due([new; 3], ""),
            "an API server that says nothing is another step's business"
        );
        assert_eq!(kubelet().compare(&HostState::default()), Ok(Comparison::InSync));
    }

    #[test]
    fn the_configuration_is_written_before_the_package_comes() {
        let script = kubelet()
            .action(&seen(["1.35.8-1.1"; 3], "v1.35.8"), &ActionInput::Nothing)
            .script;
        let at = |text: &str| script.find(text);
        assert!(sh::is_valid(&script), "{script}");
        assert!(at("kubeadm=1.36.5-*") < at("phase kubelet-config"), "{script}");
        assert!(at("phase kubelet-config") < at("kubelet=1.36.5-*"), "{script}");
        let restart = kubelet()
            .action(&seen(["1.36.5-1.1"; 3], "v1.35.8"), &ActionInput::Nothing)
            .script;
        assert!(
            !restart.contains("apt-get") && restart.contains("systemctl restart kubelet"),
            "{restart}"
        );
    }
}
