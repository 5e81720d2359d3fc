//! A control plane's host that gets the state of a lost cluster before kubeadm comes to it.

use std::time::Duration;

use serde::Deserialize;

use super::{
    Action, ActionInput, ActionRequirement, Change, Comparison, ETCD_TOOLS, HostState, Probe, Resource,
    Topic, Unreadable, etcd_peer, kubeadm, sh,
};

/// The keys and the etcd state of a bundle, where kubeadm will find and keep them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Restore {
    /// The bundle's identity.
    pub bundle: String,
    /// Node name, which is the etcd member's too.
    pub node: String,
    /// Address on which the etcd member will listen.
    pub address: String,
    /// etcd's image.
    pub image: String,
}

/// Where the bundle lies on the host until its state is in place; a folder of root's alone.
pub const RESTORE_ARCHIVE: &str = "/var/lib/ci-bootstrap/restore/bundle.tar.gz";

/// Revisions of etcd that are left out after the restored state: whoever watched the lost cluster has seen newer ones than the
/// snapshot's, and would take them for news that it knows already. More than a day's writes at a thousand a second.
const LEFT_OUT: u64 = 1_000_000_000;

/// The keys come last and in one step, with a record of where they are from: a host that has them has all.
const PROBE: &str = "cd /etc/kubernetes 2>/dev/null || { echo absent; exit 0; }
[ \"$(cat pki/ci-bootstrap-restored 2>/dev/null)\" != @BUNDLE@ ] || { echo restored; exit 0; }
for f in kubelet.conf admin.conf manifests/kube-apiserver.yaml manifests/etcd.yaml pki/ca.key; do [ ! -e $f ] || { echo \"taken /etc/kubernetes/$f\"; exit 0; }; done
echo absent";

const ACTION: &str = "etcd_tools_alone
work=/var/lib/ci-bootstrap/restore
away() { no_etcd_tools; rm -rf --one-file-system /var/lib/etcd/ci-bootstrap-restore; }
trap away EXIT
umask 077
cd $work
tar -xzf bundle.tar.gz
systemctl stop kubelet 2>/dev/null || true
etcd_tools @IMAGE@
mkdir -p /var/lib/etcd
rm -rf /var/lib/etcd/ci-bootstrap-restore
etcdutl snapshot restore etcd.db --data-dir /var/lib/etcd/ci-bootstrap-restore --name @NODE@ --initial-cluster @NODE@=@PEER@ \
  --initial-advertise-peer-urls @PEER@ --bump-revision @LEFT_OUT@ --mark-compacted
now=$(date +%Y%m%dT%H%M%S)
if [ -e /var/lib/etcd/member ]; then
  mkdir -p /var/lib/etcd.before-ci-bootstrap
  mv /var/lib/etcd/member /var/lib/etcd.before-ci-bootstrap/member.$now
fi
mv /var/lib/etcd/ci-bootstrap-restore/member /var/lib/etcd/member
mkdir -p -m 755 /etc/kubernetes
rm -rf /etc/kubernetes/pki.ci-bootstrap
chown -R root:root pki
cp -a pki /etc/kubernetes/pki.ci-bootstrap
chmod 755 /etc/kubernetes/pki.ci-bootstrap /etc/kubernetes/pki.ci-bootstrap/etcd
echo @BUNDLE@ >/etc/kubernetes/pki.ci-bootstrap/ci-bootstrap-restored
[ ! -e /etc/kubernetes/pki ] || mv /etc/kubernetes/pki /etc/kubernetes/pki.before-ci-bootstrap.$now
if command -v restorecon >/dev/null 2>&1; then restorecon -R /etc/kubernetes/pki.ci-bootstrap /var/lib/etcd 2>/dev/null || true; fi
sync
mv -T /etc/kubernetes/pki.ci-bootstrap /etc/kubernetes/pki
cd /
rm -rf $work
";

impl Resource for Restore {
    fn probe(&self, ask: &mut Probe) {
        ask.script("restore", &PROBE.replace("@BUNDLE@", &sh::quote(&self.bundle)));
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let (word, _) = kubeadm::word_and_rest(seen.section("restore"));
        match word.split_once(' ').unwrap_or((word, "")) {
            ("restored", _) => Ok(Comparison::InSync),
            ("absent" | "", _) => Ok(Comparison::Differs(Change::new(format!(
                "put the keys and the etcd state of the bundle on {}",
                self.node
            )))),
            ("taken", file) => Ok(Comparison::Refused(format!(
                "{} carries a control plane already ({file} is there), and a restore never overwrites one; if it is lost for good, run \
                 `ci-bootstrap reset {}` and apply again",
                self.node, self.node
            ))),
            (other, _) => Err(Unreadable {
                what: "restore".to_owned(),
                answer: other.to_owned(),
            }),
        }
    }

    fn action(&self, _seen: &HostState, _known: &ActionInput) -> Action {
        let script = ACTION
            .replace("@IMAGE@", &sh::quote(&self.image))
            .replace("@NODE@", &sh::quote(&self.node))
            .replace("@PEER@", &sh::quote(&etcd_peer(&self.address)))
            .replace("@LEFT_OUT@", &LEFT_OUT.to_string())
            .replace("@BUNDLE@", &sh::quote(&self.bundle));
        Action::long(
            "ci-bootstrap-restore",
            Duration::from_secs(900),
            format!("{ETCD_TOOLS}{script}"),
        )
    }

    fn touches(&self) -> Vec<Topic> {
        vec![Topic::Membership]
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Packages, Topic::Unit("containerd.service".to_owned())]
    }

    fn wants(&self) -> ActionRequirement {
        ActionRequirement::Bundle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restore(address: &str) -> Restore {
        Restore {
            bundle: "ab12".into(),
            node: "cp1".into(),
            address: address.into(),
            image: "registry.k8s.io/etcd:3.6.8-0".into(),
        }
    }

    fn verdict(section: &str) -> Result<Comparison, Unreadable> {
        let seen = HostState::example(&format!("\x1erestore\n{section}\n\x1eend\n"));
        restore("10.0.0.1").compare(&seen)
    }

    #[test]
    fn a_host_that_carries_anything_is_never_overwritten() {
        assert_eq!(verdict("restored"), Ok(Comparison::InSync));
        assert!(matches!(verdict("absent"), Ok(Comparison::Differs(_))));
        let refused = verdict("taken /etc/kubernetes/pki/ca.key");
        assert!(matches!(refused, Ok(Comparison::Refused(text)) if text.contains("ci-bootstrap reset cp1")));
    }

    #[test]
    fn the_action_is_valid_shell_with_a_url_for_either_family() {
        for (address, url) in [
            ("10.0.0.1", "https://10.0.0.1:2380"),
            ("fd00::1", "https://[fd00::1]:2380"),
        ] {
            let action = restore(address).action(&HostState::default(), &ActionInput::default());
            assert!(
                action.script.contains(url) && !action.script.contains('@'),
                "{}",
                action.script
            );
            assert!(sh::is_valid(&action.script));
        }
    }
}
