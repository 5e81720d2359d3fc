//! A worker's membership in the cluster.

use std::time::Duration;

use serde::Deserialize;

use super::kubeadm::{self, PATIENCE};
use super::node_state::{NodeObservation, unreadable};
use super::{
    Action, ActionInput, ActionRequirement, Change, Comparison, HostState, NodeState, Probe, Resource, Topic,
    Unreadable, sh,
};

/// A host that the API server knows as a node.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Worker {
    /// Node name.
    pub node: String,
    /// `host:port` at which nodes reach the API server.
    pub endpoint: String,
    /// `JoinConfiguration`, with `@TOKEN@`, `@CA_HASH@` and `@ENDPOINT@` where the credentials go.
    pub join: String,
    /// Preflight errors that kubeadm is to ignore.
    #[serde(default)]
    pub ignore: Vec<String>,
}

/// Files of a join that did not come to its end. They hold no data of anybody's; kubeadm refuses to start with them.
const LEFT_BY_A_HALF_JOIN: &str = "systemctl stop kubelet\n\
    rm -f /etc/kubernetes/kubelet.conf /etc/kubernetes/bootstrap-kubelet.conf /etc/kubernetes/pki/ca.crt \
    /var/lib/kubelet/config.yaml /var/lib/kubelet/kubeadm-flags.env /var/lib/kubelet/pki/kubelet-client-*.pem\n";

/// The section of the probe.
const STATE: &str = "membership";

/// Longest wait for an API server that another host brings up meanwhile.
const WAIT: Duration = Duration::from_secs(240);

impl Worker {
    fn wait(&self) -> String {
        let probe = kubeadm::membership(&self.node, &self.endpoint);
        format!(
            "n=0; while :; do answer=$( {probe}\n ); case $answer in member*) exit 0 ;; esac\n\
             n=$((n+1)); [ $n -lt 60 ] || {{ echo \"$answer\"; exit 1; }}; sleep 2; done\n"
        )
    }

    /// The cluster's address has changed, which happens when it is restored on other machines. Its authority is the same, or
    /// kubelet's credentials would be refused: they stay.
    fn point_kubelet(&self) -> String {
        let server = sh::quote(&format!(r"s|^\( *server: \).*|\1https://{}|", self.endpoint));
        format!("sed -i {server} /etc/kubernetes/kubelet.conf\n")
    }
}

impl Resource for Worker {
    fn probe(&self, ask: &mut Probe) {
        ask.script(STATE, &kubeadm::membership(&self.node, &self.endpoint));
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let differs = |summary: &str| {
            Ok(Comparison::Differs(Change::new(format!(
                "{summary} {}",
                self.node
            ))))
        };
        match NodeObservation::read(seen, STATE)? {
            NodeObservation::Member => Ok(Comparison::InSync),
            NodeObservation::Absent => differs("join worker"),
            NodeObservation::Half => differs("clear away a join that did not finish, and join worker"),
            NodeObservation::Unregistered => {
                differs("register again with the API server, which does not know it:")
            }
            NodeObservation::Rejected(said) => Ok(Comparison::Refused(format!(
                "{} belongs to a cluster that does not accept it (another cluster, or its certificate has expired):\n{said}\n\
                 if nothing on it is needed any more, run `kubeadm reset` on it and apply again",
                self.node
            ))),
            NodeObservation::Silent(_) => differs("wait for the API server to answer"),
            NodeObservation::OtherEndpoint => Ok(Comparison::Differs(Change::new(format!(
                "let kubelet reach the API server at {} instead of where none answers",
                self.endpoint
            )))),
            NodeObservation::InitUnfinished
            | NodeObservation::Incomplete(_)
            | NodeObservation::Expired(_)
            | NodeObservation::WithoutKubeletConfig => Err(unreadable(STATE, seen.section(STATE))),
        }
    }

    fn action(&self, seen: &HostState, known: &ActionInput) -> Action {
        let script = match (NodeObservation::read(seen, STATE), known) {
            (Ok(NodeObservation::Unregistered), _) => {
                return Action::quick(register_again(&self.wait())).within(WAIT);
            }
            (Ok(NodeObservation::Silent(_)), _) => return Action::quick(self.wait()).within(WAIT),
            (Ok(NodeObservation::OtherEndpoint), _) => {
                let script = format!("{}{}", self.point_kubelet(), register_again(&self.wait()));
                return Action::quick(script).within(WAIT);
            }
            (
                Ok(state @ (NodeObservation::Absent | NodeObservation::Half)),
                ActionInput::Join(credentials),
            ) => {
                let clear = if state == NodeObservation::Half {
                    LEFT_BY_A_HALF_JOIN
                } else {
                    ""
                };
                let join = kubeadm::fill(&self.join, credentials);
                format!("{clear}{}", kubeadm::run("join", &join, &self.ignore))
            }
            _ => kubeadm::UNDECIDED.to_owned(),
        };
        // On a busy host the API server may take longer to answer than one look waits.
        Action::long("ci-bootstrap-kubeadm", PATIENCE, script + &self.wait())
    }

    fn touches(&self) -> Vec<Topic> {
        kubeadm::touches()
    }

    fn rests_on(&self) -> Vec<Topic> {
        kubeadm::rests_on()
    }

    fn wants(&self) -> ActionRequirement {
        ActionRequirement::WorkerCredentials
    }

    fn node_state(&self, seen: &HostState) -> Option<NodeState> {
        NodeObservation::read(seen, STATE)
            .ok()
            .map(|state| state.node_state())
    }
}

/// kubelet registers its node when it starts.
fn register_again(wait: &str) -> String {
    format!("systemctl restart kubelet\n{wait}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::JoinCredentials;

    fn verdict(section: &str) -> Result<Comparison, Unreadable> {
        let worker = Worker {
            node: "w1".into(),
            endpoint: "e:6443".into(),
            join: "token: @TOKEN@\n".into(),
            ignore: vec![],
        };
        worker.compare(&HostState::example(&format!(
            "\x1emembership\n{section}\x1eend\n"
        )))
    }

    #[test]
    fn only_the_api_servers_word_makes_a_member() {
        assert_eq!(verdict("member\n"), Ok(Comparison::InSync));
        for word in [
            "absent\n",
            "half\n",
            "unknown\nError: NotFound\n",
            "silent\nconnection refused\n",
        ] {
            assert!(matches!(verdict(word), Ok(Comparison::Differs(_))), "{word}");
        }
        assert!(
            matches!(verdict("stranger\nUnauthorized\n"), Ok(Comparison::Refused(text)) if text.contains("Unauthorized"))
        );
        for section in ["nonsense\n", "begun\n", ""] {
            assert!(verdict(section).is_err(), "{section}");
        }
    }

    #[test]
    fn the_token_travels_in_a_file_and_not_in_a_command() {
        let worker = Worker {
            node: "w1".into(),
            endpoint: "e:6443".into(),
            join: "token: @TOKEN@\n".into(),
            ignore: vec!["Mem".into()],
        };
        let credentials = JoinCredentials {
            endpoint: "e:6443".into(),
            token: "abcdef.0123456789abcdef".to_owned().into(),
            ca_hash: "sha256:00".into(),
            certificate_key: None,
        };
        let seen = |word: &str| HostState::example(&format!("\x1emembership\n{word}\n\x1eend\n"));
        let known = ActionInput::Join(credentials);
        for (word, known) in [
            ("absent", &ActionInput::Nothing),
            ("member", &known),
            ("nonsense", &known),
        ] {
            let script = worker.action(&seen(word), known).script;
            assert!(
                !script.contains("kubeadm join") && !script.contains("rm -f /etc"),
                "{word}: {script}"
            );
        }
        let action = worker.action(&seen("absent"), &known);
        let holding: Vec<_> = action
            .script
            .lines()
            .filter(|line| line.contains("abcdef."))
            .collect();
        assert_eq!(holding, ["token: abcdef.0123456789abcdef"]);
        assert!(action.script.contains("--ignore-preflight-errors=Mem"));
    }
}
