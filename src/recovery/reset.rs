//! A host's way out of the cluster: its node, its etcd member, and what was made on it.

use std::time::Duration;

use crate::resource::sh;
use crate::transport::{Exec, Transport};

use super::{RecoveryError, run, schedule};

/// Pods may take their time to end; then the node is not drained, and nothing has been lost yet.
const DRAIN: Duration = Duration::from_secs(300);
const LIMIT: Duration = Duration::from_secs(600);

/// Ends the pods of a host whose kubelet does not answer to the cluster, so that the cluster may begin them elsewhere: two of one
/// `StatefulSet` would share a volume. A control plane's own go later, with its etcd member.
const STOP_PODS: &str = "set -eu
systemctl stop kubelet 2>/dev/null || true
command -v crictl >/dev/null 2>&1 || exit 0
systemctl start containerd
kept=\" $(crictl pods -q --label tier=control-plane | tr '\\n' ' ')\"
for pod in $(crictl pods -q --state Ready); do
  case $kept in *\" $pod \"*) continue ;; esac
  crictl ps -q --pod $pod | xargs -r crictl stop --timeout 30 >/dev/null
  crictl stopp $pod >/dev/null
done
";

/// Moves the pods of a host's node elsewhere and takes the node out of the cluster, through a control plane that stays.
///
/// # Errors
/// When one of the two can't be talked to, or a pod can't be moved: then the node stays as it is, but for being cordoned.
pub async fn leave(
    (control_plane, name): (&dyn Transport, &str),
    (host, node): (&dyn Transport, &str),
) -> Result<(), RecoveryError> {
    let what = "taking the node out of the cluster";
    let asked = Exec::new(format!("set -eu\n{}", ready(node)), LIMIT);
    let ready = run(control_plane, name, what, asked).await?.stdout;
    // kubelet is silent: it would end no pod.
    let gone = ready == b"Unknown";
    if gone {
        run(host, node, "ending its pods", Exec::new(STOP_PODS, LIMIT)).await?;
    }
    let script = Exec::new(drain(node, gone), LIMIT);
    run(control_plane, name, what, script).await.map(drop)
}

/// Asks the API server, without a cache in root's home.
const KUBECTL: &str = "k() { kubectl --kubeconfig /etc/kubernetes/admin.conf --cache-dir /dev/null --request-timeout=30s \"$@\"; }\n";

/// Prints the node's condition `Ready`: `True`, `False`, `Unknown`, or nothing where there is no such node.
fn ready(node: &str) -> String {
    format!(
        "{KUBECTL}k get node {} --ignore-not-found -o 'jsonpath={{.status.conditions[?(@.type==\"Ready\")].status}}'\n",
        sh::quote(node)
    )
}

/// Drains and deletes the node, if there is one. Pods that are `gone` are only forgotten.
fn drain(node: &str, gone: bool) -> String {
    format!(
        "set -eu
{KUBECTL}found=$(k get node {node} --ignore-not-found -o name)
[ -n \"$found\" ] || exit 0
k drain {node} --ignore-daemonsets --delete-emptydir-data --force --timeout={seconds}s --request-timeout=0{how}
k delete node {node}
",
        node = sh::quote(node),
        seconds = DRAIN.as_secs(),
        how = if gone { " --grace-period=0 --disable-eviction" } else { "" },
    )
}

/// What kubeadm, kube-proxy and the pod network leave behind. Rules of others stay: of nftables only the tables of kube-proxy and
/// Calico are deleted, of iptables only lines that name their chains are left out. etcd's data are moved aside. By its file `nodename`
/// Calico's plugin knows that calico-node has prepared the host: with an old one, pods would start before it has.
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
rm -f /etc/cni/net.d/10-calico.conflist /etc/cni/net.d/calico-kubeconfig /var/lib/calico/nodename /var/lib/calico/mtu
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
    use super::*;

    #[test]
    fn the_scripts_are_valid_shell() {
        for script in [CLEAN, STOP_PODS, &ready("w1"), &drain("w1", true)] {
            assert!(sh::is_valid(script), "{script}");
        }
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
