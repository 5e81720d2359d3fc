//! A control plane's part of a bundle: etcd's state and the cluster's keys, taken while everything runs.

use std::time::Duration;

use tokio::sync::mpsc::Sender;

use crate::resource::ETCD_TOOLS;
use crate::transport::{Exec, Transport};

use super::{RecoveryError, failed};

/// etcd's state is some hundred megabytes at the most, and a slow line takes its time.
const LIMIT: Duration = Duration::from_secs(3600);
/// How the script says that the host carries no etcd of the cluster.
const NO_ETCD: i32 = 3;

/// What a host's answer to the request for a snapshot was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snapshot {
    /// The whole archive has been sent.
    Taken,
    /// It runs no etcd: another host has to be asked.
    NoEtcd,
}

/// Takes a snapshot of etcd on a control plane, checks it there, and sends it with the cluster's keys and kubeadm's configuration to
/// `archive`, a gzipped tar archive in pieces. Its first member is `etcd-status.json`.
///
/// Nothing of it stays on the host. What a killed run left is removed by the next.
///
/// # Errors
/// When the host can't be talked to, or the snapshot can't be taken or is not whole.
pub async fn snapshot(
    host: &dyn Transport,
    name: &str,
    archive: Sender<Vec<u8>>,
) -> Result<Snapshot, RecoveryError> {
    let exec = Exec {
        script: script(),
        timeout: LIMIT,
        live: Some(archive),
    };
    let output = host.exec(exec).await?;
    match output.ended {
        crate::transport::Ended::Exited(0) => Ok(Snapshot::Taken),
        crate::transport::Ended::Exited(code) if code == NO_ETCD.unsigned_abs() => Ok(Snapshot::NoEtcd),
        _ => Err(failed(name, "taking a snapshot", &output.stderr)),
    }
}

fn script() -> String {
    format!(
        "set -eu
cd /etc/kubernetes 2>/dev/null && [ -e manifests/etcd.yaml ] || exit {NO_ETCD}
work=/var/lib/ci-bootstrap/backup
{ETCD_TOOLS}
etcd_tools_alone
away() {{ no_etcd_tools; rm -rf --one-file-system $work; }}
trap away EXIT
trap 'exit 143' TERM HUP INT
away
umask 077
mkdir -p $work
etcd_tools \"$(sed -n 's/^ *image: *//p' manifests/etcd.yaml | head -n 1)\"
pki=/etc/kubernetes/pki/etcd
etcdctl --endpoints https://127.0.0.1:2379 --cacert $pki/ca.crt --cert $pki/server.crt --key $pki/server.key snapshot save $work/etcd.db >$work/log 2>&1 || {{ cat $work/log >&2; exit 1; }}
etcdutl snapshot status -w json $work/etcd.db >$work/etcd-status.json
kubectl --kubeconfig admin.conf --cache-dir /dev/null --request-timeout=30s -n kube-system get configmap kubeadm-config kubelet-config kube-proxy -o yaml >$work/kubeadm.yaml
tar -I 'gzip -1' -cf - -C $work etcd-status.json etcd.db kubeadm.yaml -C /etc/kubernetes pki
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::memory::MemoryHost;
    use crate::transport::{Ended, Output};

    #[tokio::test]
    async fn a_host_without_etcd_is_no_failure() {
        for (code, expected) in [(0, Some(Snapshot::Taken)), (3, Some(Snapshot::NoEtcd)), (1, None)] {
            let host = MemoryHost::new("cp1", move |_: &str| Output {
                ended: Ended::Exited(code),
                stdout: Vec::new(),
                stderr: b"no space left".to_vec(),
            });
            let (sender, _pieces) = tokio::sync::mpsc::channel(1);
            assert_eq!(snapshot(&host, "cp1", sender).await.ok(), expected);
        }
    }

    #[test]
    fn the_script_is_valid_shell() {
        assert!(crate::resource::sh::is_valid(&script()));
    }
}
