//! New certificates for a control plane.

use std::time::Duration;

use crate::transport::{Exec, Transport};

use super::{RecoveryError, run};

/// Four components are stopped and waited for, one after the other.
const LIMIT: Duration = Duration::from_secs(900);

/// The components read their certificates when they start. kubelet starts each anew when its container ends; etcd and the API server
/// come first, as nothing can do without them. Where certificates had ended already, components have failed for long, and kubelet would
/// let minutes pass before it tries again: restarted, it begins at once. Asking with the certificate that was just made proves that the
/// new ones are in use. The last two tell that they work by their lease, which one of each kind renews every two seconds: only when
/// somebody has done so since is the cluster's work done by anyone.
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
k() { timeout 10 kubectl --kubeconfig admin.conf --cache-dir /dev/null --server https://127.0.0.1:6443 --request-timeout=5s \"$@\"; }
leads() { # component
  n=0 before=
  while :; do
    lease=$(k -n kube-system get lease $1 -o 'jsonpath={.spec.holderIdentity} {.spec.renewTime}' 2>&1) || lease=\" $lease\"
    case $lease in
      ' '*) ;;   # given back by one that ended, or not to be had
      \"$before\") ;;
      *) [ -z \"$before\" ] || return 0; before=$lease ;;
    esac
    n=$((n + 1)); [ $n -lt 60 ] || break
    sleep 2
  done
  echo \"$1 runs and does no work: nobody renews its lease, which says '${lease# }'; its last words:\"
  crictl logs --tail 10 \"$(running $1)\" || true
  exit 1
}
failing=
for component in etcd kube-apiserver kube-controller-manager kube-scheduler; do [ -n \"$(running $component)\" ] || failing=yes; done
[ -z \"$failing\" ] || systemctl restart kubelet
restart etcd
restart kube-apiserver
n=0
until answer=$(k get --raw /readyz 2>&1); do
  n=$((n + 1)); [ $n -lt 90 ] || { echo \"the API server does not answer: $answer\" >&2; exit 1; }
  sleep 2
done
restart kube-controller-manager
restart kube-scheduler
leads kube-controller-manager
leads kube-scheduler
";

/// Renews all certificates of a control plane and restarts what uses them. It may be killed anywhere and begun again.
///
/// # Errors
/// When the host can't be talked to, carries no control plane, or a component does not come back.
pub async fn renew(host: &dyn Transport, name: &str) -> Result<(), RecoveryError> {
    let exec = Exec::new(SCRIPT, LIMIT);
    run(host, name, "renewing certificates", exec).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::SCRIPT;

    #[test]
    fn the_script_is_valid_shell() {
        assert!(crate::resource::sh::is_valid(SCRIPT));
    }

    /// What comes of waiting for a component whose lease reads like this, one look after the other.
    fn leads(lease: &str) -> (bool, String) {
        let functions = SCRIPT
            .split_once("\nk()")
            .and_then(|(_, rest)| rest.split_once("\nfailing="));
        let (functions, _) = functions.unwrap_or_default();
        let script = format!(
            "set -eu\nk() {functions}\nlooks=$(mktemp)\nk() {{ echo >>$looks; {lease}; }}\nsleep() {{ :; }}\n\
             running() {{ echo abc; }}\ncrictl() {{ echo 'its log'; }}\nlooked() {{ wc -l <$looks; }}\nleads c 2>&1"
        );
        let output = std::process::Command::new("sh").args(["-c", &script]).output();
        output.map_or_else(
            |error| (false, error.to_string()),
            |output| {
                (
                    output.status.success(),
                    String::from_utf8_lossy(&output.stdout).into_owned(),
                )
            },
        )
    }

    #[test]
    fn a_component_works_when_its_lease_goes_on() {
        assert!(leads("echo cp1_a $(looked)").0, "renewed at every look");
        assert!(
            leads("[ $(looked) -gt 9 ] && echo cp1_b 2 || echo cp1_a 1").0,
            "taken over"
        );
        for (lease, said) in [
            ("echo cp1_a 1", "'cp1_a 1'"),
            ("echo \" $(looked)\"", "'60'"),
            ("echo it is away; return 1", "'it is away'"),
        ] {
            let (goes_on, text) = leads(lease);
            assert!(
                !goes_on && text.contains(said) && text.contains("its log"),
                "{lease}: {text}"
            );
        }
    }
}
