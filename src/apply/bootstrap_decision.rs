//! Which host runs `kubeadm init`. Decided only when every control plane host has said what it is, so that a first host that was
//! replaced joins the others instead of initializing a second cluster.

use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::resource::NodeState;

/// What a control plane host has said.
#[derive(Debug, Clone, PartialEq, Eq)]
enum HostReport {
    Is(NodeState),
    Silent(String),
}

/// The words so far, by host in the inventory's order.
#[derive(Debug)]
pub(super) struct BootstrapDecision {
    hosts: Vec<String>,
    words: watch::Sender<BTreeMap<String, HostReport>>,
}

/// What a control plane host has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BootstrapRole {
    /// Initialise a new cluster.
    Init,
    /// Join the one that is there or is being made.
    Join,
}

impl BootstrapDecision {
    pub(super) fn new(hosts: Vec<String>) -> Self {
        Self {
            hosts,
            words: watch::Sender::new(BTreeMap::new()),
        }
    }

    /// A host has been looked at.
    pub(super) fn record_state(&self, host: &str, node_state: NodeState) {
        self.say(host, HostReport::Is(node_state));
    }

    /// A host can't be looked at. Its last word counts: one that has been seen stays seen.
    pub(super) fn silent(&self, host: &str, reason: &str) {
        self.say(host, HostReport::Silent(reason.to_owned()));
    }

    fn say(&self, host: &str, word: HostReport) {
        if self.hosts.iter().any(|name| name == host) {
            self.words.send_if_modified(|words| {
                let first = !words.contains_key(host);
                words.entry(host.to_owned()).or_insert(word);
                first
            });
        }
    }

    /// What `host` has to do, once all have been heard.
    ///
    /// # Errors
    /// When a host that may carry the cluster can't be asked and no other does.
    pub(super) async fn duty(&self, host: &str) -> Result<BootstrapRole, String> {
        let mut words = self.words.subscribe();
        loop {
            if let Some(duty) = self.decide(host, &words.borrow_and_update()) {
                return duty;
            }
            if words.changed().await.is_err() {
                return Err("the run has ended".to_owned());
            }
        }
    }

    fn decide(
        &self,
        host: &str,
        words: &BTreeMap<String, HostReport>,
    ) -> Option<Result<BootstrapRole, String>> {
        if words
            .values()
            .any(|word| *word == HostReport::Is(NodeState::Member))
        {
            return Some(Ok(BootstrapRole::Join));
        }
        if words.len() < self.hosts.len() {
            return None;
        }
        if let Some((name, HostReport::Silent(reason))) = words
            .iter()
            .find(|(_, word)| matches!(word, HostReport::Silent(_)))
        {
            return Some(Err(format!(
                "no control plane that answers carries a cluster, and {name} might: {reason}. No host runs kubeadm init before {name} can be \
                 asked; bring it back, or take it out of the inventory if it is gone for good"
            )));
        }
        let half = self
            .hosts
            .iter()
            .find(|name| words.get(*name) == Some(&HostReport::Is(NodeState::Half)));
        let initial = half.or(self.hosts.first());
        Some(Ok(if initial.is_some_and(|initial| initial == host) {
            BootstrapRole::Init
        } else {
            BootstrapRole::Join
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bootstrap(words: &[(&str, Option<NodeState>)]) -> BootstrapDecision {
        let bootstrap = BootstrapDecision::new(["cp1", "cp2", "cp3"].map(str::to_owned).to_vec());
        for (host, node_state) in words {
            match node_state {
                Some(node_state) => bootstrap.record_state(host, *node_state),
                None => bootstrap.silent(host, "no route to host"),
            }
        }
        bootstrap
    }

    #[tokio::test]
    async fn the_first_of_bare_hosts_runs_init() {
        let all = bootstrap(&[
            ("cp1", Some(NodeState::Absent)),
            ("cp2", Some(NodeState::Absent)),
            ("cp3", Some(NodeState::Absent)),
        ]);
        assert_eq!(
            (all.duty("cp1").await, all.duty("cp3").await),
            (Ok(BootstrapRole::Init), Ok(BootstrapRole::Join))
        );
    }

    #[tokio::test]
    async fn a_first_host_that_was_replaced_joins() {
        let all = bootstrap(&[
            ("cp1", Some(NodeState::Absent)),
            ("cp2", None),
            ("cp3", Some(NodeState::Member)),
        ]);
        assert_eq!(all.duty("cp1").await, Ok(BootstrapRole::Join));
    }

    #[tokio::test]
    async fn an_interrupted_init_goes_on_where_it_began() {
        let all = bootstrap(&[
            ("cp1", Some(NodeState::Absent)),
            ("cp2", Some(NodeState::Half)),
            ("cp3", Some(NodeState::Absent)),
        ]);
        assert_eq!(
            (all.duty("cp1").await, all.duty("cp2").await),
            (Ok(BootstrapRole::Join), Ok(BootstrapRole::Init))
        );
    }

    #[tokio::test]
    async fn nobody_runs_init_while_one_can_not_be_asked() {
        let all = bootstrap(&[
            ("cp1", Some(NodeState::Absent)),
            ("cp2", None),
            ("cp3", Some(NodeState::Absent)),
        ]);
        assert!(
            all.duty("cp1")
                .await
                .is_err_and(|reason| reason.contains("cp2 might: no route to host"))
        );
    }
}
