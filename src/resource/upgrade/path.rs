//! Whether a host can go from its release to the wanted one at all.

use serde::Deserialize;

use super::super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Unreadable, kubeadm};
use super::node_release::{self, COMPONENTS, NodeRelease, Release};

/// Refuses what no upgrade does: a skipped minor release, and any way back. It stands before everything that would change a host.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UpgradePath {
    /// The wanted release.
    pub version: String,
    /// Newest known patch release of each minor release, `1.36.5`: the path is told in them.
    pub newest: Vec<String>,
    /// Reference of etcd's image of the wanted release.
    pub etcd: String,
    /// How many control planes the cluster has.
    pub control_planes: usize,
}

impl UpgradePath {
    /// Why there is no way from what a host has to `wanted`.
    fn refusal(&self, found: &NodeRelease, wanted: Release) -> Option<String> {
        let running = running(found);
        let (oldest, newest) = (running.iter().min()?, running.iter().max()?);
        if *newest > wanted {
            return Some(format!(
                "this node runs Kubernetes {newest} and cluster.kubernetes asks for {wanted}: Kubernetes has no way back to an older release.\n\
                 Put {newest} into the inventory; a state of before an upgrade comes back only by `ci-bootstrap restore` onto bare hosts"
            ));
        }
        (wanted.major != oldest.major || wanted.minor > oldest.minor + 1).then(|| {
            let path = self.path(*oldest, wanted);
            let first = path.first().map_or_else(|| "the next minor release".to_owned(), Release::to_string);
            let path: Vec<_> = [*oldest].iter().chain(&path).map(Release::to_string).collect();
            format!(
                "cluster.kubernetes {wanted} is {} minor releases above {oldest}, which this node runs: Kubernetes is upgraded one minor release \
                 at a time.\nGo {}: put {first} into the inventory and apply, then the next",
                wanted.minor.saturating_sub(oldest.minor),
                path.join(" → "),
            )
        })
    }

    /// etcd's own rule for several members: all at 3.6.11 or newer before the first goes to 3.7.
    fn etcd_refusal(&self, found: &NodeRelease) -> Option<String> {
        let release = |major, minor, patch| Release { major, minor, patch };
        let running = Release::parse(found.images.get("etcd")?)?;
        let wanted = Release::parse(self.etcd.rsplit_once(':')?.1)?;
        let early = wanted >= release(3, 7, 0) && running < release(3, 6, 11);
        (early && self.control_planes > 1).then(|| {
            format!(
                "this node runs etcd {running} and Kubernetes {} brings etcd {wanted}: with several members, each must be at 3.6.11 or newer \
                 before the first goes to 3.7.\nStay at 1.36 until a patch release of it brings that",
                self.version
            )
        })
    }

    /// The releases after `from` up to `wanted`, the newest known of each minor release.
    fn path(&self, from: Release, wanted: Release) -> Vec<Release> {
        let between = self.newest.iter().filter_map(|text| Release::parse(text));
        let between = between.filter(|release| release.minor > from.minor && release.minor < wanted.minor);
        between.chain([wanted]).collect()
    }
}

/// What runs on a host: kubelet, and on a control plane the static pods. In the middle of an upgrade they differ.
fn running(found: &NodeRelease) -> Vec<Release> {
    let images = COMPONENTS
        .iter()
        .filter_map(|name| Release::parse(found.images.get(*name)?));
    found
        .packages
        .get("kubelet")
        .copied()
        .into_iter()
        .chain(images)
        .collect()
}

impl Resource for UpgradePath {
    fn probe(&self, ask: &mut Probe) {
        node_release::ask_host(ask);
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let found = NodeRelease::read(seen);
        let wanted = Release::parse(&self.version);
        let refusal = wanted
            .filter(|_| found.is_member)
            .and_then(|wanted| self.refusal(&found, wanted).or_else(|| self.etcd_refusal(&found)));
        Ok(refusal.map_or(Comparison::InSync, Comparison::Refused))
    }

    fn action(&self, _seen: &HostState, _known: &ActionInput) -> Action {
        Action::quick(kubeadm::UNDECIDED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(wanted: &str, host: &str) -> Comparison {
        let path = UpgradePath {
            version: wanted.to_owned(),
            newest: ["1.34.11", "1.35.9", "1.36.5", "1.37.2"]
                .map(str::to_owned)
                .into(),
            etcd: if wanted.starts_with("1.37") {
                "r/etcd:3.7.0-0"
            } else {
                "r/etcd:3.6.8-0"
            }
            .into(),
            control_planes: 3,
        };
        let seen = HostState::example(&format!("\x1ekubernetes-release\n{host}\n\x1eend\n"));
        path.compare(&seen).unwrap_or(Comparison::InSync)
    }

    fn reported(wanted: &str, host: &str) -> String {
        match verdict(wanted, host) {
            Comparison::Refused(why) => why,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn one_minor_release_or_a_patch_is_a_way() {
        for (wanted, host) in [
            ("1.36.5", "member\npackage kubelet 1.36.5-1.1"),
            ("1.36.5", "member\npackage kubelet 1.36.4-1.1"),
            ("1.36.5", "member\npackage kubelet 1.35.8-1.1"),
            (
                "1.36.5",
                "member\npackage kubelet 1.35.8-1.1\nimage kube-apiserver v1.36.5",
            ),
            ("1.36.5", "package kubelet 1.30.0-1.1"),
            ("1.36.5", ""),
        ] {
            assert_eq!(verdict(wanted, host), Comparison::InSync, "{wanted} from {host}");
        }
    }

    #[test]
    fn a_skipped_minor_release_is_refused_with_the_path() {
        let why = reported("1.37.2", "member\npackage kubelet 1.35.8-1.1");
        assert!(
            why.contains("Go 1.35.8 → 1.36.5 → 1.37.2: put 1.36.5 into"),
            "{why}"
        );
        let why = reported(
            "1.37.2",
            "member\npackage kubelet 1.34.11-1.1\nimage kube-apiserver v1.34.11",
        );
        assert!(why.contains("1.34.11 → 1.35.9 → 1.36.5 → 1.37.2"), "{why}");
        let half = reported(
            "1.37.2",
            "member\npackage kubelet 1.35.8-1.1\nimage kube-apiserver v1.36.5",
        );
        assert!(
            half.contains("is 2 minor releases above 1.35.8"),
            "the hop before is finished first: {half}"
        );
    }

    #[test]
    fn a_way_back_is_refused() {
        assert!(reported("1.36.4", "member\npackage kubelet 1.36.5-1.1").contains("no way back"));
        let half = reported(
            "1.35.8",
            "member\npackage kubelet 1.35.8-1.1\nimage kube-scheduler v1.36.5",
        );
        assert!(half.contains("Put 1.36.5 into the inventory"), "{half}");
    }

    #[test]
    fn several_members_of_etcd_go_to_3_7_from_3_6_11_alone() {
        let host = |etcd| format!("member\npackage kubelet 1.36.5-1.1\nimage etcd {etcd}");
        assert!(reported("1.37.2", &host("3.6.8-0")).contains("each must be at 3.6.11"));
        assert_eq!(verdict("1.37.2", &host("3.6.11-0")), Comparison::InSync);
        assert_eq!(verdict("1.36.6", &host("3.6.8-0")), Comparison::InSync);
    }
}
