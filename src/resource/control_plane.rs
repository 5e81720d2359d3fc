//! A control plane: the one that initialises the cluster, and those that join it.

use std::time::Duration;

use serde::Deserialize;

use super::kubeadm::{self, PATIENCE};
use super::node_state::{MissingPart, NodeObservation};
use super::{
    Action, ActionInput, ActionRequirement, Change, Comparison, HostState, NodeState, Probe, Resource, Topic,
    Unreadable, sh,
};

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

/// Lies on a host while `kubeadm init` is at work there, and after it broke off: an init that has not finished looks like a control
/// plane of somebody who keeps kubelet's certificates in its kubeconfig.
const INIT_UNFINISHED: &str = "/var/lib/ci-bootstrap/init-unfinished";

/// The section of the probe.
const STATE: &str = "control-plane";

/// What a control plane is follows from what its API server says, and only where that says nothing from files. Files may be missing
/// on one that works: hardening guides remove admin.conf, and where certificates aren't rotated kubelet.conf holds them.
///
/// kubeadm finalises kubelet.conf after everything but the add-ons. Before that an init is unfinished; from then on the cluster
/// lives, and a silent API server is waited for and never initialised again. While kubelet.conf is not there yet, a join has
/// bootstrap-kubelet.conf. An API server whose certificates have expired, or etcd's, will not speak again by itself: that is recognized by
/// openssl, without which the wait's end tells it.
const PROBE: &str = include_str!("control_plane.sh");

impl ControlPlane {
    fn probe_script(&self) -> String {
        PROBE
            .replace("@ADDRESS@", &self.address)
            .replace("@NODE@", &self.node)
            .replace("@INIT_UNFINISHED@", INIT_UNFINISHED)
    }

    fn wait(&self) -> String {
        let probe = self.probe_script();
        format!(
            "systemctl start kubelet\nn=0; while :; do answer=$( {probe}\n ); case $answer in silent*) ;; expired*) break ;; *) exit 0 ;; esac\n\
             n=$((n+1)); [ $n -lt 80 ] || break; sleep 2; done\n\
             echo \"the API server of {node} does not answer:\"; echo \"$answer\"\n\
             echo '--- kubelet says:'; timeout 10 journalctl -u kubelet -n 15 -o cat --no-pager || true\n\
             for id in $(timeout 10 crictl ps -a -q --state Exited 2>/dev/null | head -n 3); do timeout 10 crictl logs --tail 8 $id 2>&1 || true; done\nexit 1\n",
            node = self.node
        )
    }

    /// `kubeadm init` on a bare host, or once more where it broke off.
    fn init(&self, state: &NodeObservation) -> String {
        let mut ignored = self.ignore.clone();
        if state.node_state() == NodeState::Half {
            ignored.extend(TRACES_OF_AN_INTERRUPTED_RUN.split(',').map(str::to_owned));
        }
        format!(
            "mkdir -p -m 700 /var/lib/ci-bootstrap\n: >{INIT_UNFINISHED}\n{}rm -f {INIT_UNFINISHED}\n",
            kubeadm::run("init --skip-token-print", &self.init, &ignored)
        )
    }

    /// Gives a control plane again what it lacks.
    fn complete(&self, missing: &[MissingPart]) -> String {
        let again = |phase: &str| kubeadm::run(&format!("init phase {phase}"), &self.init, &[]);
        let scripts = missing.iter().map(|missing| match missing {
            MissingPart::AdminConfig => again("kubeconfig admin"),
            MissingPart::ClusterConfiguration => again("upload-config kubeadm"),
            MissingPart::KubeletConfiguration => again("upload-config kubelet"),
            MissingPart::Addons => again("addon all"),
            MissingPart::Node => "systemctl restart kubelet\nsleep 5\n".to_owned(),
        });
        scripts.collect()
    }

    /// What fixes each thing that is missing, for people.
    fn completion(&self, missing: &[MissingPart]) -> String {
        let reported = missing.iter().map(|missing| match missing {
            MissingPart::AdminConfig => "make /etc/kubernetes/admin.conf again".to_owned(),
            MissingPart::ClusterConfiguration => "upload the ConfigMap kubeadm-config again".to_owned(),
            MissingPart::KubeletConfiguration => "upload the ConfigMap kubelet-config again".to_owned(),
            MissingPart::Addons => "install the add-ons kube-proxy and CoreDNS".to_owned(),
            MissingPart::Node => format!(
                "register {} again with the API server, which does not know it",
                self.node
            ),
        });
        reported.collect::<Vec<_>>().join(", ")
    }

    /// A join that broke off: its etcd member may be half in. `kubeadm reset` takes the member out; what it would delete
    /// of etcd's data is copied aside first, so that nothing is lost whatever it was.
    fn clear_half_join() -> String {
        format!(
            "systemctl stop kubelet\n\
             if [ -d /var/lib/etcd/member ]; then mkdir -p /var/lib/etcd.before-ci-bootstrap\n  \
             cp -a /var/lib/etcd/member \"/var/lib/etcd.before-ci-bootstrap/member.$(date +%Y%m%dT%H%M%S)\"; fi\n\
             kubeadm reset -f >/dev/null 2>&1 || true\nrm -f {INIT_UNFINISHED}\n"
        )
    }

    /// A control plane that runs is not reset for another one's sake.
    fn refuse_to_join(&self) -> String {
        let text = format!(
            "{node} runs a control plane of its own, which `kubeadm init` has not finished, while another host carries the cluster.\n\
             If nothing in it is needed, run `ci-bootstrap reset {node}` and apply again",
            node = self.node
        );
        format!("echo {}\nexit 1\n", sh::quote(&text))
    }

    /// What brings a host of this state into the cluster, by `kubeadm init` or by a join. Neither is ever done by default.
    fn enter(&self, state: &NodeObservation, known: &ActionInput) -> String {
        match (state, known) {
            (_, ActionInput::Init) => self.init(state),
            (NodeObservation::InitUnfinished, ActionInput::Join(_)) => self.refuse_to_join(),
            (_, ActionInput::Join(credentials)) => {
                let clear = if *state == NodeObservation::Half {
                    Self::clear_half_join()
                } else {
                    String::new()
                };
                let join = kubeadm::fill(&self.join, credentials);
                format!("{clear}{}", kubeadm::run("join", &join, &self.ignore))
            }
            (_, ActionInput::Nothing) => kubeadm::UNDECIDED.to_owned(),
        }
    }
}

impl Resource for ControlPlane {
    fn probe(&self, ask: &mut Probe) {
        ask.script(STATE, &self.probe_script());
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let node = &self.node;
        let differs = |summary: String| Ok(Comparison::Differs(Change::new(summary)));
        match NodeObservation::read(seen, STATE)? {
            NodeObservation::Member => Ok(Comparison::InSync),
            NodeObservation::Absent => differs(format!("make {node} a control plane")),
            NodeObservation::Half => Ok(Comparison::Differs(
                Change::new(format!("finish making {node} a control plane")).with_detail(vec![
                    "-what kubeadm has left on it, by `kubeadm reset`, if another host carries the cluster"
                        .to_owned(),
                ]),
            )),
            NodeObservation::InitUnfinished => differs(format!("finish making {node} a control plane")),
            NodeObservation::Incomplete(missing) => differs(self.completion(&missing)),
            NodeObservation::Silent(_) => differs(format!("wait for the API server of {node}")),
            NodeObservation::Rejected(said) => Ok(Comparison::Refused(format!(
                "the API server of {node} does not accept /etc/kubernetes/admin.conf:\n{said}\nif certificates have expired, run \
                 `ci-bootstrap renew`"
            ))),
            NodeObservation::Expired(said) => Ok(Comparison::Refused(format!(
                "certificates of {node} have expired, so its API server does not answer:\n{said}\nrun `ci-bootstrap renew`, or set the host's \
                 clock if it is wrong"
            ))),
            NodeObservation::WithoutKubeletConfig => Ok(Comparison::Refused(format!(
                "{node} runs a control plane, and /etc/kubernetes/kubelet.conf is missing; put it back (`kubeadm init phase kubeconfig \
                 kubelet` on the host makes one), or run `ci-bootstrap reset {node}` if nothing on it is needed"
            ))),
            NodeObservation::Unregistered | NodeObservation::OtherEndpoint => {
                Err(super::node_state::unreadable(STATE, seen.section(STATE)))
            }
        }
    }

    fn action(&self, seen: &HostState, known: &ActionInput) -> Action {
        let script = match NodeObservation::read(seen, STATE) {
            Ok(NodeObservation::Silent(_)) => {
                return Action::quick(self.wait()).within(Duration::from_secs(300));
            }
            Ok(NodeObservation::Incomplete(missing)) => self.complete(&missing),
            Ok(
                state @ (NodeObservation::Absent | NodeObservation::Half | NodeObservation::InitUnfinished),
            ) => self.enter(&state, known),
            // The comparison asks for no change of these.
            Ok(
                NodeObservation::Member
                | NodeObservation::Rejected(_)
                | NodeObservation::Expired(_)
                | NodeObservation::WithoutKubeletConfig
                | NodeObservation::Unregistered
                | NodeObservation::OtherEndpoint,
            )
            | Err(_) => kubeadm::UNDECIDED.to_owned(),
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

    fn wants(&self) -> ActionRequirement {
        ActionRequirement::ControlPlane
    }

    fn node_state(&self, seen: &HostState) -> Option<NodeState> {
        NodeObservation::read(seen, STATE)
            .ok()
            .map(|state| state.node_state())
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
mod tests;
