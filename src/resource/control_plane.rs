//! A control plane: the one that founds the cluster, and those that join it.

use std::time::Duration;

use serde::Deserialize;

use super::kubeadm::{self, PATIENCE};
use super::{Action, Change, Known, Probe, Resource, Seen, Standing, Topic, Unreadable, Verdict, Wants, sh};

/// A host that runs an API server of the cluster.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ControlPlane {
    /// Node name.
    pub node: String,
    /// Address on which its API server listens.
    pub address: String,
    /// `InitConfiguration` and its companions, for the first one of a new cluster.
    pub init: String,
    /// `JoinConfiguration`, with `@TOKEN@`, `@CA_HASH@`, `@ENDPOINT@` and `@CERTIFICATE_KEY@`.
    pub join: String,
    /// Preflight errors that kubeadm is to ignore.
    #[serde(default)]
    pub ignore: Vec<String>,
}

/// Preflight errors that only say that an interrupted run has been here before.
const TRACES_OF_AN_INTERRUPTED_RUN: &str = "FileAvailable--etc-kubernetes-manifests-kube-apiserver.yaml,\
FileAvailable--etc-kubernetes-manifests-kube-controller-manager.yaml,FileAvailable--etc-kubernetes-manifests-kube-scheduler.yaml,\
FileAvailable--etc-kubernetes-manifests-etcd.yaml,DirAvailable--var-lib-etcd,Port-6443,Port-10250,Port-10257,Port-10259,Port-2379,Port-2380,\
FileAvailable--etc-kubernetes-kubelet.conf,FileAvailable--etc-kubernetes-bootstrap-kubelet.conf,FileAvailable--etc-kubernetes-pki-ca.crt";

/// kubeadm finalises kubelet's configuration after everything but the add-ons: from then on the cluster lives, and a
/// silent API server is waited for and never initialised again. One whose certificates have ended, or etcd's, will not speak again
/// by itself. That is told by openssl, without which the wait's end tells it.
const PROBE: &str = "cd /etc/kubernetes 2>/dev/null || { echo absent; exit 0; }
if ! grep -qs kubelet-client-current.pem kubelet.conf || [ ! -e admin.conf ]; then
  if [ -e manifests/kube-apiserver.yaml ] || [ -e manifests/etcd.yaml ] || [ -e admin.conf ] || [ -e pki/ca.key ]; then echo half; else echo absent; fi
  exit 0
fi
api() { timeout 20 kubectl --cache-dir /dev/null --kubeconfig admin.conf --server https://@ADDRESS@:6443 --request-timeout=10s \"$@\" 2>&1; }
answer=$(api get -n kube-system -o name configmap/kubeadm-config daemonset/kube-proxy deployment/coredns node/@NODE@) && { echo member; exit 0; }
case $answer in *'daemonsets.apps \"kube-proxy\" not found'*|*'deployments.apps \"coredns\" not found'*) echo addons ;;
*'nodes \"@NODE@\" not found'*) echo unknown ;; *Unauthorized*|*'certificate has expired'*|*'unknown authority'*) echo stranger ;; *)
  for crt in pki/apiserver.crt pki/apiserver-etcd-client.crt pki/etcd/server.crt; do
    openssl x509 -noout -checkend 0 -in $crt 2>/dev/null | grep -q 'will expire' && { echo ended; echo \"$PWD/$crt $(openssl x509 -noout -enddate -in $crt)\"; exit 0; }
  done
  echo silent ;; esac
echo \"$answer\"";

impl ControlPlane {
    fn probe_script(&self) -> String {
        PROBE
            .replace("@ADDRESS@", &self.address)
            .replace("@NODE@", &self.node)
    }

    fn wait(&self) -> String {
        let probe = self.probe_script();
        format!(
            "systemctl start kubelet\nn=0; while :; do answer=$( {probe}\n ); case $answer in silent*) ;; ended*) break ;; *) exit 0 ;; esac\n\
             n=$((n+1)); [ $n -lt 80 ] || break; sleep 2; done\n\
             echo \"the API server of {node} does not answer:\"; echo \"$answer\"\n\
             echo '--- kubelet says:'; timeout 10 journalctl -u kubelet -n 15 -o cat --no-pager || true\n\
             for id in $(timeout 10 crictl ps -a -q --state Exited 2>/dev/null | head -n 3); do timeout 10 crictl logs --tail 8 $id 2>&1 || true; done\nexit 1\n",
            node = self.node
        )
    }

    fn found(&self, seen: &Seen) -> String {
        let mode = if seen.os().kernel_version() >= (5, 13) {
            "nftables"
        } else {
            "iptables"
        };
        kubeadm::run(
            "init --skip-token-print",
            &self.init.replace("@KUBE_PROXY_MODE@", mode),
            &self.ignored(seen),
        )
    }

    fn ignored(&self, seen: &Seen) -> Vec<String> {
        let mut ignored = self.ignore.clone();
        if kubeadm::standing(seen.section("control-plane")) == Standing::Half {
            ignored.extend(TRACES_OF_AN_INTERRUPTED_RUN.split(',').map(str::to_owned));
        }
        ignored
    }

    /// A join that broke off: its etcd member may be half in. `kubeadm reset` takes the member out; what it would delete
    /// of etcd's data is moved aside first, so that nothing is lost whatever it was.
    fn clear_half_join() -> &'static str {
        "systemctl stop kubelet\n\
         if [ -d /var/lib/etcd/member ]; then mkdir -p /var/lib/etcd.before-ci-bootstrap\n  \
         cp -a /var/lib/etcd/member \"/var/lib/etcd.before-ci-bootstrap/member.$(date +%Y%m%dT%H%M%S)\"; fi\n\
         kubeadm reset -f >/dev/null 2>&1 || true\n"
    }
}

impl Resource for ControlPlane {
    fn probe(&self, ask: &mut Probe) {
        ask.script("control-plane", &self.probe_script());
    }

    fn compare(&self, seen: &Seen) -> Result<Verdict, Unreadable> {
        let (word, rest) = kubeadm::word_and_rest(seen.section("control-plane"));
        let differs = |summary: String| Ok(Verdict::Differs(Change::new(summary)));
        match word {
            "member" => Ok(Verdict::InSync),
            "absent" | "" => differs(format!("make {} a control plane", self.node)),
            "half" => differs(format!("finish making {} a control plane", self.node)),
            "addons" => differs("install the add-ons kube-proxy and CoreDNS".to_owned()),
            "unknown" => differs(format!(
                "register {} again with the API server, which does not know it",
                self.node
            )),
            "silent" => differs(format!("wait for the API server of {}", self.node)),
            "stranger" => Ok(Verdict::Refused(format!(
                "the API server of {} does not accept /etc/kubernetes/admin.conf:\n{rest}\nif certificates have expired, run \
                 `ci-bootstrap renew`",
                self.node
            ))),
            "ended" => Ok(Verdict::Refused(format!(
                "certificates of {} have ended, so its API server does not answer:\n{rest}\nrun `ci-bootstrap renew`, or set the host's \
                 clock if it is wrong",
                self.node
            ))),
            other => Err(Unreadable {
                what: "control-plane".to_owned(),
                answer: other.to_owned(),
            }),
        }
    }

    fn action(&self, seen: &Seen, known: &Known) -> Action {
        let (word, _) = kubeadm::word_and_rest(seen.section("control-plane"));
        let script = match (word, &known.join) {
            ("silent", _) => return Action::quick(self.wait()).within(Duration::from_secs(300)),
            ("unknown", _) => "systemctl restart kubelet\nsleep 5\n".to_owned(),
            ("addons", _) => kubeadm::run("init phase addon all", &self.init, &[]),
            (_, None) => self.found(seen),
            (_, Some(ticket)) => {
                let clear = if kubeadm::standing(seen.section("control-plane")) == Standing::Half {
                    Self::clear_half_join()
                } else {
                    ""
                };
                format!(
                    "{clear}{}",
                    kubeadm::run("join", &kubeadm::fill(&self.join, ticket), &self.ignore)
                )
            }
        };
        // kubeadm is content before a busy host's API server answers each question within the time of one look.
        Action::long("ci-bootstrap-kubeadm", PATIENCE, script + &self.wait())
    }

    fn touches(&self) -> Vec<Topic> {
        kubeadm::touches()
    }

    fn rests_on(&self) -> Vec<Topic> {
        kubeadm::rests_on()
    }

    fn wants(&self) -> Wants {
        Wants::ControlPlane
    }

    fn standing(&self, seen: &Seen) -> Option<Standing> {
        Some(kubeadm::standing(seen.section("control-plane")))
    }
}

/// A command for a running control plane that uploads its certificates under a key which travels in a file.
pub fn upload_certificates(key: &str) -> String {
    let config =
        format!("apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\ncertificateKey: {key}\n");
    let path = "/run/ci-bootstrap/upload-certs.yaml";
    format!(
        "set -eu\nmkdir -p -m 700 /run/ci-bootstrap\ntrap 'rm -f {path}' EXIT\n{}kubeadm init phase upload-certs --upload-certs --config {path} \
         --skip-certificate-key-print\n",
        sh::write_file(path, &config, "0600", "root:root")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control_plane() -> ControlPlane {
        ControlPlane {
            node: "cp1".into(),
            address: "10.0.0.1".into(),
            init: "kind: InitConfiguration\n".into(),
            join: "key: @CERTIFICATE_KEY@\n".into(),
            ignore: vec![],
        }
    }

    fn seen(section: &str, kernel: &str) -> Seen {
        Seen::example(&format!(
            "\x1esystem\nkernel={kernel}\n\x1econtrol-plane\n{section}\x1eend\n"
        ))
    }

    #[test]
    fn a_silent_api_server_is_waited_for_and_never_initialised_again() {
        let action = control_plane().action(&seen("silent\nconnection refused\n", "6.1"), &Known::default());
        assert!(!action.script.contains("kubeadm init"), "{}", action.script);
    }

    #[test]
    fn an_api_server_whose_certificates_have_ended_is_not_waited_for() {
        let ended = seen(
            "ended\n/etc/kubernetes/pki/apiserver.crt notAfter=Jan  2 00:00:00 2020 GMT\n",
            "6.1",
        );
        assert!(
            matches!(control_plane().compare(&ended), Ok(Verdict::Refused(text)) if text.contains("apiserver.crt notAfter=Jan  2") && text.contains("renew"))
        );
        assert!(sh::is_valid(&control_plane().probe_script()));
    }

    #[test]
    fn a_join_ends_when_the_api_server_answers() {
        let joined = control_plane().action(&seen("absent\n", "6.1"), &Known::default());
        assert!(joined.script.ends_with(&control_plane().wait()) && sh::is_valid(&joined.script));
    }

    #[test]
    fn an_interrupted_init_goes_on_over_its_own_traces() {
        let action = control_plane().action(&seen("half\n", "6.1"), &Known::default());
        assert!(
            action
                .script
                .contains("FileAvailable--etc-kubernetes-manifests-etcd.yaml")
        );
        assert!(!action.script.contains("reset"));
    }
}
