//! etcd's state of before an upgrade.

use std::time::Duration;

use serde::Deserialize;

use super::super::{
    Action, ActionInput, Change, Comparison, ETCD_TOOLS, HostState, Probe, Resource, Topic, Unreadable,
};
use super::node_release::{self, COMPONENTS, NodeRelease, Release};
use super::script::SNAPSHOTS;

/// A verified snapshot of etcd, kept under the release that the cluster had when it was made.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UpgradeSnapshot {
    /// Node name.
    pub node: String,
    /// Address on which its API server listens.
    pub address: String,
    /// The wanted release.
    pub version: String,
}

/// The section of the probe.
const KEPT: &str = "upgrade-snapshots";
/// A snapshot of an attempt that is older than this, in seconds, is not the state of before this one.
const FRESH: u64 = 86_400;

/// The release that the cluster leaves, where it leaves one.
fn leaving(found: &NodeRelease, wanted: Release) -> Option<Release> {
    found
        .cluster
        .filter(|cluster| found.is_member && *cluster != wanted && found.images.contains_key("etcd"))
}

/// Whether this control plane has begun: then a snapshot made now would not be of before.
fn has_begun(found: &NodeRelease, wanted: Release) -> bool {
    let tags = COMPONENTS
        .iter()
        .filter_map(|name| Release::parse(found.images.get(*name)?));
    tags.into_iter().any(|tag| tag == wanted)
}

/// Age in seconds of the snapshot of a release.
fn age(seen: &HostState, from: Release) -> Option<u64> {
    let kept = seen
        .section(KEPT)
        .lines()
        .find_map(|line| line.strip_prefix(&format!("etcd-v{from}.db ")));
    kept?.trim().parse().ok()
}

fn is_due(seen: &HostState, wanted: Release) -> Option<Release> {
    let found = NodeRelease::read(seen);
    let from = leaving(&found, wanted)?;
    let kept = age(seen, from).is_some_and(|age| age < FRESH || has_begun(&found, wanted));
    (!kept).then_some(from)
}

impl Resource for UpgradeSnapshot {
    fn probe(&self, ask: &mut Probe) {
        node_release::ask_control_plane(ask, &self.node, &self.address);
        ask.script(
            KEPT,
            &format!(
                "cd {SNAPSHOTS} 2>/dev/null || exit 0\nnow=$(date +%s)\n\
                 for f in etcd-v*.db; do [ ! -e \"$f\" ] || echo \"$f $((now - $(stat -c %Y \"$f\")))\"; done"
            ),
        );
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let due = Release::parse(&self.version).and_then(|wanted| is_due(seen, wanted));
        Ok(due.map_or(Comparison::InSync, |from| {
            Comparison::Differs(
                Change::new("keep a snapshot of etcd")
                    .with_detail(vec![format!("+{SNAPSHOTS}/etcd-v{from}.db")]),
            )
        }))
    }

    fn action(&self, seen: &HostState, _known: &ActionInput) -> Action {
        let due = Release::parse(&self.version).and_then(|wanted| is_due(seen, wanted));
        let file = due.map_or_else(String::new, |from| format!("{SNAPSHOTS}/etcd-v{from}.db"));
        let script = format!(
            "{ETCD_TOOLS}etcd_tools_alone\ntrap no_etcd_tools EXIT\numask 077\nmkdir -p {SNAPSHOTS}\n\
             etcd_tools \"$(sed -n 's/^ *image: *//p' /etc/kubernetes/manifests/etcd.yaml | head -n 1)\"\n\
             pki=/etc/kubernetes/pki/etcd\nnew={SNAPSHOTS}/snapshot.new\nrm -f $new $new.part\n\
             etcdctl --endpoints https://127.0.0.1:2379 --cacert $pki/ca.crt --cert $pki/server.crt --key $pki/server.key snapshot save $new\n\
             etcdutl snapshot status $new\nsync $new\nmv $new {file}\n"
        );
        Action::long("ci-bootstrap-snapshot", Duration::from_secs(900), script)
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Membership]
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sh;
    use super::*;

    fn seen(cluster: &str, tag: &str, kept: &str) -> HostState {
        HostState::example(&format!(
            "\x1ekubernetes-release\nmember\nimage etcd 3.6.6-0\nimage kube-apiserver {tag}\n\
             \x1ekubernetes-release-in-the-cluster\nkubernetesVersion: {cluster}\n\x1eupgrade-snapshots\n{kept}\n\x1eend\n"
        ))
    }

    fn snapshot() -> UpgradeSnapshot {
        UpgradeSnapshot {
            node: "cp1".into(),
            address: "10.0.0.1".into(),
            version: "1.36.5".into(),
        }
    }

    #[test]
    fn a_snapshot_is_made_once_and_never_over_the_state_of_before() {
        let due = |seen: &HostState| snapshot().compare(seen) != Ok(Comparison::InSync);
        assert!(due(&seen("v1.35.8", "v1.35.8", "")));
        assert!(
            due(&seen("v1.35.8", "v1.35.8", "etcd-v1.34.1.db 5")),
            "that of another upgrade"
        );
        assert!(
            due(&seen("v1.35.8", "v1.35.8", "etcd-v1.35.8.db 90000")),
            "that of an attempt long ago"
        );
        assert!(!due(&seen("v1.35.8", "v1.35.8", "etcd-v1.35.8.db 60")));
        assert!(
            !due(&seen("v1.35.8", "v1.36.5", "etcd-v1.35.8.db 90000")),
            "the upgrade has begun"
        );
        assert!(!due(&seen("v1.36.5", "v1.36.5", "")));
        assert!(!due(&HostState::default()));
    }

    #[test]
    fn the_file_is_named_by_the_release_that_is_left() {
        let script = snapshot()
            .action(&seen("v1.35.8", "v1.35.8", ""), &ActionInput::Nothing)
            .script;
        assert!(
            script.contains("/etcd-v1.35.8.db") && sh::is_valid(&script),
            "{script}"
        );
    }
}
