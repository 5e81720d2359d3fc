//! What a host is to the cluster, as the probes of control planes and workers tell it.

use super::{HostState, NodeState, Unreadable};

/// What a probe has found. Its first line is a word, the rest is what the API server or a program said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NodeObservation {
    /// Nothing of a cluster is on the host.
    Absent,
    /// An init or join broke off, and nothing of it runs.
    Half,
    /// An init broke off after its control plane had begun to run.
    InitUnfinished,
    /// It belongs to the cluster.
    Member,
    /// It belongs to the cluster, and these are missing.
    Incomplete(Vec<MissingPart>),
    /// The API server does not know the node.
    Unregistered,
    /// The API server refuses the host's credentials.
    Rejected(String),
    /// Certificates have expired, so that the API server does not answer.
    Expired(String),
    /// The API server does not answer.
    Silent(String),
    /// The control plane runs and kubelet's kubeconfig is gone.
    WithoutKubeletConfig,
    /// kubelet knows another address of the API server, at which none answers.
    OtherEndpoint,
}

/// What a control plane can lack and be given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MissingPart {
    /// `/etc/kubernetes/admin.conf`.
    AdminConfig,
    /// The `ConfigMap` `kubeadm-config`.
    ClusterConfiguration,
    /// The `ConfigMap` `kubelet-config`.
    KubeletConfiguration,
    /// kube-proxy or `CoreDNS`.
    Addons,
    /// Its own node.
    Node,
}

/// What is missing, by what is said of it, in the order in which it is fixed.
const MISSING: [(&str, MissingPart); 6] = [
    ("admin.conf is missing", MissingPart::AdminConfig),
    (
        "configmaps \"kubeadm-config\" not found",
        MissingPart::ClusterConfiguration,
    ),
    (
        "configmaps \"kubelet-config\" not found",
        MissingPart::KubeletConfiguration,
    ),
    ("daemonsets.apps \"kube-proxy\" not found", MissingPart::Addons),
    ("deployments.apps \"coredns\" not found", MissingPart::Addons),
    ("nodes \"", MissingPart::Node),
];

impl NodeObservation {
    /// Reads the section `what` of a probe. A word that is none of these is an error: nobody may act on it.
    pub(super) fn read(seen: &HostState, what: &str) -> Result<Self, Unreadable> {
        let section = seen.section(what);
        let (word, said) = section.split_once('\n').unwrap_or((section, ""));
        let said = || said.trim().to_owned();
        Ok(match word.trim() {
            "absent" => Self::Absent,
            "half" => Self::Half,
            "begun" => Self::InitUnfinished,
            "member" => Self::Member,
            "incomplete" => Self::incomplete(what, section)?,
            "unknown" => Self::Unregistered,
            "stranger" => Self::Rejected(said()),
            "expired" => Self::Expired(said()),
            "silent" => Self::Silent(said()),
            "headless" => Self::WithoutKubeletConfig,
            "elsewhere" => Self::OtherEndpoint,
            _ => return Err(unreadable(what, section)),
        })
    }

    fn incomplete(what: &str, section: &str) -> Result<Self, Unreadable> {
        let mut missing: Vec<_> = MISSING
            .iter()
            .filter(|(said, _)| section.contains(said))
            .map(|(_, missing)| *missing)
            .collect();
        missing.dedup();
        if missing.is_empty() {
            return Err(unreadable(what, section));
        }
        Ok(Self::Incomplete(missing))
    }

    /// What the host is to those who decide on which one the cluster is initialised.
    pub(super) fn node_state(&self) -> NodeState {
        match self {
            Self::Absent => NodeState::Absent,
            Self::Half | Self::InitUnfinished => NodeState::Half,
            Self::Member
            | Self::Incomplete(_)
            | Self::Unregistered
            | Self::Rejected(_)
            | Self::Expired(_)
            | Self::Silent(_)
            | Self::WithoutKubeletConfig
            | Self::OtherEndpoint => NodeState::Member,
        }
    }
}

/// That a probe's answer can't be read.
pub(super) fn unreadable(what: &str, answer: &str) -> Unreadable {
    Unreadable {
        what: what.to_owned(),
        answer: answer.lines().take(5).collect::<Vec<_>>().join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(section: &str) -> Result<NodeObservation, Unreadable> {
        NodeObservation::read(&HostState::example(&format!("\x1ex\n{section}\x1eend\n")), "x")
    }

    #[test]
    fn a_word_that_is_not_known_is_no_state() {
        for section in [
            "",
            "\n",
            "nonsense\n",
            "absent-minded\n",
            "Killed\n",
            "incomplete\nnothing of ours\n",
        ] {
            assert!(read(section).is_err(), "{section:?}");
        }
        let none = NodeObservation::read(&HostState::default(), "x");
        assert!(none.is_err(), "a section that is not there says nothing");
    }

    #[test]
    fn all_that_is_missing_is_read_in_the_order_of_its_repair() {
        let state = read(
            "incomplete\nError from server (NotFound): configmaps \"kubeadm-config\" not found\n\
             Error from server (NotFound): daemonsets.apps \"kube-proxy\" not found\n\
             Error from server (NotFound): deployments.apps \"coredns\" not found\n\
             Error from server (NotFound): nodes \"cp1\" not found\n",
        );
        let missing = vec![
            MissingPart::ClusterConfiguration,
            MissingPart::Addons,
            MissingPart::Node,
        ];
        assert_eq!(state, Ok(NodeObservation::Incomplete(missing)));
        let state = read("incomplete\nadmin.conf is missing\n");
        assert_eq!(
            state,
            Ok(NodeObservation::Incomplete(vec![MissingPart::AdminConfig]))
        );
    }
}
