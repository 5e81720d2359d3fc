//! A host's way out of the cluster: its node, its etcd member, and what was made on it.

use std::time::Duration;

use crate::resource::sh;
use crate::transport::{Script, Transport};

use super::{RecoveryError, run, schedule};

/// Pods may take their time to end; then the node is not drained, and nothing has been lost yet.
const DRAIN: Duration = Duration::from_secs(300);
const LIMIT: Duration = Duration::from_secs(600);

/// Ends the pods of a host whose kubelet does not answer to the cluster, so that the cluster may begin them elsewhere: two of one
/// `StatefulSet` would share a volume. A control plane's own go later, with its etcd member.
const STOP_PODS: &str = include_str!("../../scripts/reset-stop-pods.sh");

/// Moves the pods of a host's node elsewhere and takes the node out of the cluster, through a control plane that stays.
///
/// # Errors
/// When one of the two can't be talked to, or a pod can't be moved: then the node stays as it is, but for being cordoned.
pub async fn leave(
    (control_plane, name): (&dyn Transport, &str),
    (host, node): (&dyn Transport, &str),
) -> Result<(), RecoveryError> {
    let what = "taking the node out of the cluster";
    let asked = Script::new(format!("set -eu\n{}", ready(node)), LIMIT);
    let ready = run(control_plane, name, what, asked).await?.stdout;
    // kubelet is silent: it would end no pod.
    let gone = ready == b"Unknown";
    if gone {
        run(host, node, "ending its pods", Script::new(STOP_PODS, LIMIT)).await?;
    }
    let script = Script::new(drain(node, gone), LIMIT);
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

/// What kubeadm leaves behind. etcd's data are moved aside. Then what kube-proxy and the pod network leave behind. Rules of others stay:
/// of nftables only the tables of kube-proxy and Calico are deleted, of iptables only lines that name their chains or, by a comment,
/// Calico are left out. By its file `nodename` Calico's plugin knows that calico-node has prepared the host: with an old one, pods
/// would start before it has.
const CLEAN: &str = include_str!("../../scripts/reset-clean.sh");

/// The state of the kernel: nftables' tables, iptables' rules with their sets, devices, and routes of Calico's protocol number, among them
/// the `blackhole` of the node's own block.
const CLEAN_KERNEL: &str = include_str!("../../scripts/reset-clean-kernel.sh");

/// What Calico has put on the host. Felix has a file system of its own mounted in its directory.
const CLEAN_CALICO: &str = "rm -f /etc/cni/net.d/10-calico.conflist /etc/cni/net.d/calico-kubeconfig /opt/cni/bin/calico /opt/cni/bin/calico-ipam
if mountpoint -q /run/calico/cgroup; then umount /run/calico/cgroup || umount -l /run/calico/cgroup; fi
rm -rf --one-file-system /run/calico /var/lib/calico /var/log/calico
";

/// Undoes on a host what was made there: its membership, its timer for bundles and its door for another's, then the files that `undo`
/// removes. Packages stay, and so do bundles and what the host had before.
///
/// # Errors
/// When the host can't be talked to or a command fails. It may be begun again.
pub async fn clean(host: &dyn Transport, name: &str, undo: &str) -> Result<(), RecoveryError> {
    let (timer, door) = (schedule::remove_script(), schedule::expel_all_script());
    let script = format!(
        "set -eu\n{CLEAN}{CLEAN_KERNEL}{CLEAN_CALICO}{timer}( {door})\n{undo}rm -rf --one-file-system /var/lib/ci-bootstrap\n"
    );
    let exec = Script::new(script, LIMIT);
    run(host, name, "undoing what was made on it", exec)
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_scripts_are_valid_shell() {
        for script in [
            CLEAN,
            CLEAN_KERNEL,
            CLEAN_CALICO,
            STOP_PODS,
            &ready("w1"),
            &drain("w1", true),
        ] {
            assert!(sh::is_valid(script), "{script}");
        }
    }

    /// Runs the script with tools that only say what they are told, on a host with these rules.
    fn cleaned(rules: &str) -> String {
        let tools = tempfile::tempdir().unwrap();
        for (name, does) in [
            ("iptables-save", format!("cat <<'RULES'\n{rules}\nRULES")),
            ("ip6tables-save", "exit 1".to_owned()),
            ("iptables-restore", "sed 's/^/restored: /'".to_owned()),
            ("nft", "echo nft $*".to_owned()),
            ("ip", "echo ip $*; exit 1".to_owned()),
            ("ipset", ":".to_owned()),
        ] {
            let tool = tools.path().join(name);
            fs_err::write(&tool, format!("#!/bin/sh\n{does}\n")).unwrap();
            fs_err::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").unwrap());
        let output = std::process::Command::new("sh")
            .args(["-euc", CLEAN_KERNEL])
            .env("PATH", path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn rules_of_others_stay() {
        let said = cleaned(
            "*filter
:INPUT ACCEPT [0:0]
:KUBE-FORWARD - [0:0]
-A INPUT -j cali-INPUT
-A INPUT -p tcp --dport 22 -m comment --comment calibrated -j ACCEPT
-A FORWARD -m comment --comment \"cali:S93hcgKJrXEqnTfs\" -m mark --mark 0x10000/0x10000 -j ACCEPT
COMMIT",
        );
        let restored: Vec<_> = said
            .lines()
            .filter_map(|line| line.strip_prefix("restored: "))
            .collect();
        let kept = [
            "*filter",
            ":INPUT ACCEPT [0:0]",
            "-A INPUT -p tcp --dport 22 -m comment --comment calibrated -j ACCEPT",
            "COMMIT",
        ];
        assert_eq!(restored, kept);
        assert!(
            !cleaned("*filter\n-A INPUT -j DROP\nCOMMIT").contains("restored"),
            "a host without rules of ours"
        );
    }

    #[test]
    fn nothing_of_calico_stays_in_the_kernel() {
        let said = cleaned("-A FORWARD -m comment --comment \"cali:S93hcgKJrXEqnTfs\" -j ACCEPT");
        for line in [
            "nft delete table ip calico",
            "nft delete table arp calico-arp",
            "ip link delete vxlan.calico",
            "ip -4 route flush proto 80",
        ] {
            assert!(said.lines().any(|said| said == line), "no {line:?} in {said}");
        }
        assert!(!said.contains("cali:"), "{said}");
    }

    #[test]
    fn nothing_of_calico_stays_on_the_disk() {
        for path in [
            "/opt/cni/bin/calico ",
            "/opt/cni/bin/calico-ipam\n",
            " /run/calico ",
            " /var/log/calico\n",
            " /var/lib/calico ",
        ] {
            assert!(CLEAN_CALICO.contains(path), "{path}");
        }
    }
}
