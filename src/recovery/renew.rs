//! New certificates for a control plane.

use std::time::Duration;

use crate::transport::{Exec, Transport};

use super::{RecoveryError, failed};

/// Four components are stopped and waited for, one after the other.
const LIMIT: Duration = Duration::from_secs(900);

/// The components read their certificates when they start. kubelet starts each anew when its container ends; etcd and the API server
/// come first, as nothing can do without them. Where certificates had ended already, components have failed for long, and kubelet would
/// let minutes pass before it tries again: restarted, it begins at once. Asking with the certificate that was just made proves that the
/// new ones are in use.
const SCRIPT: &str = "set -eu
cd /etc/kubernetes 2>/dev/null && [ -e manifests/kube-apiserver.yaml ] || { echo 'it carries no control plane' >&2; exit 1; }
kubeadm certs renew all >/dev/null
running() { crictl ps -q --state Running --name \"^$1\\$\"; }
started() { # component, container of before
  n=0
  until new=$(running $1) && [ -n \"$new\" ] && [ \"$new\" != \"$2\" ]; do
    n=$((n + 1)); [ $n -lt 120 ] || { echo \"$1 did not start again\" >&2; exit 1; }
    sleep 1
  done
}
restart() { old=$(running $1); [ -z \"$old\" ] || { crictl stop --timeout 30 $old >/dev/null; started $1 $old; }; }
failing=
for component in etcd kube-apiserver kube-controller-manager kube-scheduler; do [ -n \"$(running $component)\" ] || failing=yes; done
[ -z \"$failing\" ] || systemctl restart kubelet
restart etcd
restart kube-apiserver
n=0
until answer=$(timeout 10 kubectl --kubeconfig admin.conf --server https://127.0.0.1:6443 --request-timeout=5s get --raw /readyz 2>&1); do
  n=$((n + 1)); [ $n -lt 90 ] || { echo \"the API server does not answer: $answer\" >&2; exit 1; }
  sleep 2
done
restart kube-controller-manager
restart kube-scheduler
";

/// Renews all certificates of a control plane and restarts what uses them. It may be killed anywhere and begun again.
///
/// # Errors
/// When the host can't be talked to, carries no control plane, or a component does not come back.
pub async fn renew(host: &dyn Transport, name: &str) -> Result<(), RecoveryError> {
    let output = host.exec(Exec::new(SCRIPT, LIMIT)).await?;
    if output.success() {
        return Ok(());
    }
    Err(failed(
        name,
        "renewing certificates",
        &[output.stdout, output.stderr].concat(),
    ))
}

#[cfg(test)]
mod tests {
    use super::SCRIPT;

    #[test]
    fn the_script_is_valid_shell() {
        let status = std::process::Command::new("sh")
            .args(["-n", "-c", SCRIPT])
            .status();
        assert!(status.is_ok_and(|status| status.success()));
    }
}
