//! A host's way out of the cluster: its node, its etcd member, and what was made on it.

use std::time::Duration;

use crate::resource::sh;
use crate::transport::{Exec, Transport};

use super::{RecoveryError, run, schedule};

/// Pods may take their time to end; then the node is not drained, and nothing has been lost yet.
const DRAIN: Duration = Duration::from_secs(300);
const LIMIT: Duration = Duration::from_secs(600);

/// Moves a node's pods elsewhere and takes the node out of the cluster, through a control plane that stays.
///
/// # Errors
/// When the control plane can't be talked to, or a pod can't be moved: then the node stays as it is, but for being cordoned.
pub async fn leave(control_plane: &dyn Transport, name: &str, node: &str) -> Result<(), RecoveryError> {
    let script = format!(
        "set -eu
k() {{ kubectl --kubeconfig /etc/kubernetes/admin.conf --cache-dir /dev/null --request-timeout=30s \"$@\"; }}
found=$(k get node {node} --ignore-not-found -o name)
[ -n \"$found\" ] || exit 0
k drain {node} --ignore-daemonsets --delete-emptydir-data --force --timeout={seconds}s --request-timeout=0
k delete node {node}
",
        node = sh::quote(node),
        seconds = DRAIN.as_secs()
    );
    let exec = Exec::new(script, LIMIT);
    run(control_plane, name, "taking the node out of the cluster", exec)
        .await
        .map(drop)
}

/// What kubeadm, kube-proxy and the pod network leave behind. Rules of others stay: of nftables only the tables of kube-proxy and
/// Calico are deleted, of iptables only lines that name their chains are left out. etcd's data are moved aside.
const CLEAN: &str = "now=$(date +%Y%m%dT%H%M%S)
if [ -e /etc/kubernetes/manifests/etcd.yaml ]; then
  timeout 120 kubeadm reset phase remove-etcd-member -f >/dev/null 2>&1 || true
fi
systemctl stop kubelet 2>/dev/null || true
if command -v crictl >/dev/null 2>&1 && systemctl -q is-active containerd; then
  etcd=$(crictl pods -q --name '^etcd' --namespace kube-system) || true
  [ -z \"$etcd\" ] || crictl stopp $etcd >/dev/null || true
fi
if [ -d /var/lib/etcd/member ]; then
  mkdir -p -m 700 /var/lib/etcd.before-ci-bootstrap
  mv /var/lib/etcd/member \"/var/lib/etcd.before-ci-bootstrap/member.$now\"
fi
if command -v kubeadm >/dev/null 2>&1; then kubeadm reset -f --skip-phases=remove-etcd-member >/dev/null; fi
for table in kube-proxy calico; do
  for family in ip ip6; do nft delete table $family $table 2>/dev/null || true; done
done
for tool in iptables ip6tables; do
  command -v $tool-save >/dev/null 2>&1 || continue
  rules=$($tool-save -c 2>/dev/null) || continue
  case $rules in *KUBE-*|*cali-*) printf '%s\\n' \"$rules\" | grep -v -e KUBE- -e cali- | $tool-restore -c ;; esac
done
if command -v ipset >/dev/null 2>&1; then
  ipset list -n | grep -e '^KUBE-' -e '^cali' | while read -r set; do ipset destroy \"$set\" || true; done
fi
for link in vxlan.calico vxlan-v6.calico kube-ipvs0; do ip link delete $link 2>/dev/null || true; done
rm -f /etc/cni/net.d/10-calico.conflist /etc/cni/net.d/calico-kubeconfig
";

/// Undoes on a host what was made there: its membership, its timer for bundles and its door for another's, then the files that `undo`
/// removes. Packages stay, and so do bundles and what the host had before.
///
/// # Errors
/// When the host can't be talked to or a command fails. It may be begun again.
pub async fn clean(host: &dyn Transport, name: &str, undo: &str) -> Result<(), RecoveryError> {
    let (timer, door) = (schedule::remove_script(), schedule::expel_all_script());
    let script =
        format!("set -eu\n{CLEAN}{timer}( {door})\n{undo}rm -rf --one-file-system /var/lib/ci-bootstrap\n");
    let exec = Exec::new(script, LIMIT);
    run(host, name, "undoing what was made on it", exec)
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::CLEAN;

    #[test]
    fn the_script_is_valid_shell() {
        assert!(crate::resource::sh::is_valid(CLEAN));
    }

    #[test]
    fn rules_of_others_stay() {
        let line = CLEAN.lines().find(|line| line.contains("KUBE-*"));
        let filter = line.and_then(|line| line.split(" | ").nth(1)).unwrap_or_default();
        let script = format!(
            "printf '%s\\n' '*filter' ':INPUT ACCEPT [0:0]' ':KUBE-FORWARD - [0:0]' '-A INPUT -j cali-INPUT' '-A INPUT -p tcp --dport 22 -j ACCEPT' COMMIT | {filter}"
        );
        let output = std::process::Command::new("sh").args(["-c", &script]).output();
        let kept = output
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default();
        assert_eq!(
            kept,
            "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n"
        );
    }
}
