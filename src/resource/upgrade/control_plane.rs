//! The static pods of a control plane at another release.

use std::time::Duration;

use serde::Deserialize;

use super::super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unreadable, sh};
use super::node_release::{self, COMPONENTS, NodeRelease, Release};
use super::script::{SNAPSHOTS, explain_failure, packages};

/// kubeadm, the static pods and the cluster's configuration at the wanted release. kubelet follows when all control planes are there.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ControlPlaneUpgrade {
    /// Node name.
    pub node: String,
    /// Address on which its API server listens.
    pub address: String,
    /// The wanted release.
    pub version: String,
    /// Reference of etcd's image of that release.
    pub etcd: String,
    /// Preflight errors that kubeadm is to ignore.
    #[serde(default)]
    pub ignore: Vec<String>,
}

/// What is due on one control plane.
#[derive(Debug, Default, PartialEq, Eq)]
struct Due {
    /// Whether kubeadm's own package is at another release.
    kubeadm: bool,
    /// Whether etcd's static pod is older than the release's. A newer one stays, and is none of kubeadm's business either.
    etcd: bool,
    /// Lines for people.
    lines: Vec<String>,
}

/// All kubeadm's waits for four static pods, and the pulls that it may still have to do.
const PATIENCE: Duration = Duration::from_secs(2700);

/// Waits until etcd's members all answer and the API server calls itself ready; prints what it waited for in vain.
const HEALTHY: &str = "healthy() {
  n=0; while :; do
    said=$(api get --raw /readyz 2>&1) && said=$(api -n kube-system exec etcd-@NODE@ -- etcdctl --endpoints https://127.0.0.1:2379 --cacert /etc/kubernetes/pki/etcd/ca.crt \
      --cert /etc/kubernetes/pki/etcd/server.crt --key /etc/kubernetes/pki/etcd/server.key endpoint health --cluster 2>&1) && return 0
    n=$((n+1)); [ $n -lt 60 ] || { echo \"the API server or a member of etcd is not healthy:\"; echo \"$said\"; return 1; }
    sleep 3
  done
}
";

impl ControlPlaneUpgrade {
    /// What differs from the wanted release, decided by what is alone.
    fn due(&self, found: &NodeRelease) -> Due {
        let Some(wanted) = Release::parse(&self.version).filter(|_| found.is_member) else {
            return Due::default();
        };
        let mut lines = found.other_packages(&["kubeadm"], wanted);
        let kubeadm = !lines.is_empty();
        for name in COMPONENTS {
            let tag = found
                .images
                .get(name)
                .filter(|tag| Release::parse(tag).is_some_and(|release| release != wanted));
            lines.extend(
                tag.into_iter()
                    .flat_map(|tag| [format!("-{name} {tag}"), format!("+{name} v{wanted}")]),
            );
        }
        let new = self.etcd.rsplit_once(':').map_or("", |(_, tag)| tag);
        let old = found
            .images
            .get("etcd")
            .filter(|tag| Release::parse(tag).is_some_and(|old| Some(old) < Release::parse(new)));
        lines.extend(
            old.into_iter()
                .flat_map(|old| [format!("-etcd {old}"), format!("+etcd {new}")]),
        );
        if let Some(cluster) = found.cluster.filter(|cluster| *cluster != wanted) {
            lines.extend([
                format!("-the cluster's release {cluster}"),
                format!("+the cluster's release {wanted}"),
            ]);
        }
        Due {
            kubeadm,
            etcd: old.is_some(),
            lines,
        }
    }

    fn failure(&self) -> Vec<String> {
        vec![
            format!("The upgrade of the control plane {} to {} has not ended. No other node has been touched after it; pods go on running.", self.node, self.version),
            "kubeadm puts back the manifests of components that do not come up, except etcd's; `grep image: /etc/kubernetes/manifests/*` shows what runs.".to_owned(),
            format!("Fix the cause above and apply again: it goes on where it stopped. etcd's state of before is kept in {SNAPSHOTS}. docs/upgrade.md has more."),
        ]
    }

    /// Which of kubeadm's commands it is can't be known before this host's turn: another may have upgraded the cluster meanwhile.
    fn upgrade(&self, etcd: bool) -> String {
        let ignore = match &self.ignore[..] {
            [] => String::new(),
            some => format!(" --ignore-preflight-errors={}", sh::quote(&some.join(","))),
        };
        format!(
            "{functions}{healthy}healthy\n\
             if [ \"$(cluster_release)\" = {version} ]; then kubeadm upgrade node --etcd-upgrade={etcd}{ignore}\n\
             else kubeadm upgrade apply v{version} --yes --etcd-upgrade={etcd}{ignore}; fi\nhealthy\n",
            functions = node_release::cluster_release(&self.address),
            healthy = HEALTHY.replace("@NODE@", &self.node),
            version = self.version,
        )
    }
}

impl Resource for ControlPlaneUpgrade {
    fn probe(&self, ask: &mut Probe) {
        node_release::ask_control_plane(ask, &self.node, &self.address);
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let due = self.due(&NodeRelease::read(seen));
        let summary = format!(
            "upgrade the control plane {} to Kubernetes {}",
            self.node, self.version
        );
        Ok(Comparison::from_lines(summary, due.lines))
    }

    fn action(&self, seen: &HostState, _known: &ActionInput) -> Action {
        let due = self.due(&NodeRelease::read(seen));
        let mut script = explain_failure(&self.failure());
        if due.kubeadm {
            script += &packages(&["kubeadm"], &self.version, false);
        }
        // kubeadm's package alone comes as a pair of lines.
        if due.lines.len() > 2 * usize::from(due.kubeadm) {
            script += &self.upgrade(due.etcd);
        }
        Action::long("ci-bootstrap-upgrade", PATIENCE, script)
    }

    fn touches(&self) -> Vec<Topic> {
        vec![Topic::Packages, Topic::Membership]
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Packages, Topic::Membership]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upgrade() -> ControlPlaneUpgrade {
        ControlPlaneUpgrade {
            node: "cp1".into(),
            address: "10.0.0.1".into(),
            version: "1.36.5".into(),
            etcd: "r/etcd:3.6.8-0".into(),
            ignore: vec![],
        }
    }

    /// A control plane with kubeadm, static pods, etcd and configuration at these.
    fn seen(kubeadm: &str, [api, manager, scheduler]: [&str; 3], etcd: &str, cluster: &str) -> HostState {
        HostState::example(&format!(
            "\x1ekubernetes-release\nmember\npackage kubeadm {kubeadm}\nimage etcd {etcd}\nimage kube-apiserver {api}\n\
             image kube-controller-manager {manager}\nimage kube-scheduler {scheduler}\n\
             \x1ekubernetes-release-in-the-cluster\nkubernetesVersion: {cluster}\n\x1eend\n"
        ))
    }

    const OLD: [&str; 3] = ["v1.35.8"; 3];
    const NEW: [&str; 3] = ["v1.36.5"; 3];

    #[test]
    fn every_instant_of_a_killed_upgrade_is_seen() {
        for (what, seen) in [
            ("before", seen("1.35.8-1.1", OLD, "3.6.6-0", "v1.35.8")),
            ("kubeadm installed", seen("1.36.5-1.1", OLD, "3.6.6-0", "v1.35.8")),
            ("etcd done", seen("1.36.5-1.1", OLD, "3.6.8-0", "v1.35.8")),
            (
                "API server done",
                seen(
                    "1.36.5-1.1",
                    ["v1.36.5", "v1.35.8", "v1.35.8"],
                    "3.6.8-0",
                    "v1.35.8",
                ),
            ),
            ("static pods done", seen("1.36.5-1.1", NEW, "3.6.8-0", "v1.35.8")),
            (
                "another has upgraded the cluster",
                seen("1.36.5-1.1", OLD, "3.6.6-0", "v1.36.5"),
            ),
            (
                "etcd was left out in silence",
                seen("1.36.5-1.1", NEW, "3.6.6-0", "v1.36.5"),
            ),
        ] {
            let verdict = upgrade().compare(&seen);
            assert!(
                matches!(verdict, Ok(Comparison::Differs(_))),
                "{what}: {verdict:?}"
            );
            let script = upgrade().action(&seen, &ActionInput::Nothing).script;
            assert!(
                sh::is_valid(&script) && script.contains("kubeadm upgrade apply v1.36.5 --yes"),
                "{what}: {script}"
            );
        }
        let done = seen("1.36.5-1.1", NEW, "3.6.8-0", "v1.36.5");
        assert_eq!(upgrade().compare(&done), Ok(Comparison::InSync));
        assert_eq!(
            upgrade().compare(&seen("1.36.5-1.1", NEW, "3.6.11-0", "v1.36.5")),
            Ok(Comparison::InSync)
        );
        assert_eq!(upgrade().compare(&HostState::default()), Ok(Comparison::InSync));
    }

    #[test]
    fn etcd_is_left_alone_where_it_stays() {
        let script = |etcd| {
            let seen = seen("1.36.4-1.1", ["v1.36.4"; 3], etcd, "v1.36.4");
            upgrade().action(&seen, &ActionInput::Nothing).script
        };
        assert!(
            script("3.6.8-0").contains("--etcd-upgrade=false")
                && !script("3.6.8-0").contains("--etcd-upgrade=true")
        );
        assert!(script("3.6.6-0").contains("--etcd-upgrade=true"));
    }

    #[test]
    fn a_package_alone_runs_no_upgrade() {
        let script = upgrade()
            .action(
                &seen("1.36.4-1.1", NEW, "3.6.8-0", "v1.36.5"),
                &ActionInput::Nothing,
            )
            .script;
        assert!(
            script.contains("kubeadm=1.36.5-*") && !script.contains("kubeadm upgrade"),
            "{script}"
        );
    }
}
