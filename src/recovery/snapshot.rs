//! A control plane's part of a bundle: etcd's state and the cluster's keys, taken while everything runs.

use std::time::Duration;

use tokio::sync::mpsc::Sender;

use crate::bundle::SIGNING_KEY;
use crate::resource::ETCD_TOOLS;
use crate::transport::{Script, Transport};

use super::{RecoveryError, failed};

/// etcd's state is some hundred megabytes at the most, and a slow line takes its time.
const LIMIT: Duration = Duration::from_secs(3600);
/// How the script says that the host carries no etcd of the cluster.
const NO_ETCD: i32 = 3;

/// The Secret with the key that bundles are signed with. All control planes have it through etcd, and a restored cluster has it again.
const SIGNER: &str = "ci-bootstrap-bundle-signer";

/// Prints nothing, and writes the key to `$work/signing-key`. It is made where there is none: of two runs that make one, the API
/// server lets the first win.
const SIGNING: &str = "secret() { k get secret $signer --ignore-not-found -o 'jsonpath={.data.key}'; }
key=$(secret)
if [ -z \"$key\" ]; then
  ssh-keygen -q -t ed25519 -N '' -C '' -f $work/new-key
  k create secret generic $signer --from-file=key=$work/new-key >/dev/null 2>$work/log || true
  rm -f $work/new-key $work/new-key.pub
  key=$(secret)
  [ -n \"$key\" ] || { echo \"the Secret $signer can't be made:\" >&2; cat $work/log >&2; exit 1; }
fi
printf %s \"$key\" | base64 -d >$work/signing-key
";

/// What a host's answer to the request for a snapshot was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snapshot {
    /// The whole archive has been sent.
    Taken,
    /// It runs no etcd: another host has to be asked.
    NoEtcd,
}

/// Takes a snapshot of etcd on a control plane, checks it there, and sends it with the cluster's keys and kubeadm's configuration to
/// `archive`, a gzipped tar archive in pieces. Its first member is the key that the bundle is to be signed with, which is made once.
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
    let exec = Script {
        script: script(),
        timeout: LIMIT,
        live: Some(archive),
    };
    let output = host.exec(exec).await?;
    match output.ended {
        crate::transport::ScriptEnd::Exited(0) => Ok(Snapshot::Taken),
        crate::transport::ScriptEnd::Exited(code) if code == NO_ETCD.unsigned_abs() => Ok(Snapshot::NoEtcd),
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
signer={SIGNER}
k() {{ kubectl --kubeconfig admin.conf --cache-dir /dev/null --request-timeout=30s -n kube-system \"$@\"; }}
{SIGNING}etcd_tools \"$(sed -n 's/^ *image: *//p' manifests/etcd.yaml | head -n 1)\"
pki=/etc/kubernetes/pki/etcd
etcdctl --endpoints https://127.0.0.1:2379 --cacert $pki/ca.crt --cert $pki/server.crt --key $pki/server.key snapshot save $work/etcd.db >$work/log 2>&1 || {{ cat $work/log >&2; exit 1; }}
etcdutl snapshot status -w json $work/etcd.db >$work/etcd-status.json
k get configmap kubeadm-config kubelet-config kube-proxy -o yaml >$work/kubeadm.yaml
tar -I 'gzip -1' -cf - -C $work {SIGNING_KEY} etcd-status.json etcd.db kubeadm.yaml -C /etc/kubernetes pki
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::memory::MemoryHost;
    use crate::transport::{ScriptEnd, ScriptOutput};

    #[tokio::test]
    async fn a_host_without_etcd_is_no_failure() {
        for (code, expected) in [(0, Some(Snapshot::Taken)), (3, Some(Snapshot::NoEtcd)), (1, None)] {
            let host = MemoryHost::new("cp1", move |_: &str| ScriptOutput {
                ended: ScriptEnd::Exited(code),
                stdout: Vec::new(),
                stderr: b"no space left".to_vec(),
            });
            let (sender, _pieces) = tokio::sync::mpsc::channel(1);
            assert_eq!(snapshot(&host, "cp1", sender).await.ok(), expected);
        }
    }

    /// What is in the archive as the signing key when the API server is this shell function.
    fn signing_key(kubectl: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let script = format!(
            "set -eu\nwork={} signer=s\nk() {{ {kubectl}; }}\n{SIGNING}cat $work/{SIGNING_KEY}",
            folder.path().display()
        );
        let output = std::process::Command::new("sh").args(["-c", &script]).output();
        let output = output.map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }

    #[test]
    fn a_signing_key_is_made_once_and_by_one() {
        // It is there.
        assert_eq!(signing_key("echo YWJj"), Ok("abc".to_owned()));
        // It is made here.
        let made = signing_key(
            "case $1 in create) base64 -w0 $work/new-key >$work/secret;; *) [ ! -e $work/secret ] || cat $work/secret;; esac",
        );
        assert!(made.is_ok_and(|key| key.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----")));
        // Another run was first.
        let lost = "case $1 in create) echo YWJj >$work/secret; return 1;; *) [ ! -e $work/secret ] || cat $work/secret;; esac";
        assert_eq!(signing_key(lost), Ok("abc".to_owned()));
        // It can't be asked, and can't be made.
        let silent = signing_key("echo silent >&2; return 1");
        assert_eq!(silent, Err("silent\n".to_owned()));
        let full = signing_key("case $1 in create) echo no quota >&2; return 1;; esac");
        assert!(full.is_err_and(|said| said.contains("no quota")));
    }

    #[test]
    fn the_script_is_valid_shell() {
        assert!(crate::resource::sh::is_valid(&script()));
    }
}
