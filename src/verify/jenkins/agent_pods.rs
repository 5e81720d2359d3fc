//! What becomes of the pods of agents while a build waits for one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::cluster_api::Object;

/// Pods of one kind of agent, as they were seen since a build was asked for.
#[derive(Debug, Default)]
pub(super) struct AgentPods {
    /// Those that were there before: idle ones, and those of other builds.
    before: BTreeSet<String>,
    /// The others, by name.
    came: BTreeMap<String, PodLifetime>,
    /// On which node each is or was.
    nodes: BTreeMap<String, String>,
}

/// What was seen of one pod.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PodLifetime {
    /// When it was first seen.
    after: Duration,
    /// Whether it was ready at any time.
    was_ready: bool,
    /// Whether it ended without having done its work.
    failed: bool,
}

impl AgentPods {
    /// `pods` were there before the build.
    pub(super) fn since(pods: &[Object]) -> Self {
        Self {
            before: pods.iter().map(name).collect(),
            came: BTreeMap::new(),
            nodes: nodes(pods).collect(),
        }
    }

    /// Takes in how the pods are now. Gives those that have failed since the last look, as long as they can be asked why.
    pub(super) fn look<'a>(&mut self, pods: &'a [Object], now: Duration) -> Vec<&'a Object> {
        let mut news = Vec::new();
        self.nodes.extend(nodes(pods));
        for pod in pods.iter().filter(|pod| !self.before.contains(&name(pod))) {
            let life = self.came.entry(name(pod)).or_insert(PodLifetime {
                after: now,
                was_ready: false,
                failed: false,
            });
            life.was_ready |= is_ready(pod);
            if has_failed(pod) && !life.failed {
                life.failed = true;
                news.push(pod);
            }
        }
        let there: BTreeSet<_> = pods.iter().map(name).collect();
        // One that was ready and is gone may have done the work of another build.
        for (name, life) in &mut self.came {
            life.failed |= !life.was_ready && !there.contains(name);
        }
        news
    }

    /// How many have ended without having done any work.
    pub(super) fn failed(&self) -> usize {
        self.came.values().filter(|life| life.failed).count()
    }

    /// Whether any has come.
    pub(super) fn came(&self) -> bool {
        !self.came.is_empty()
    }

    /// The one among `pods` that could become the build's.
    pub(super) fn hope<'a>(&self, pods: &'a [Object]) -> Option<&'a Object> {
        let lives = |pod: &&Object| self.came.get(&name(pod)).is_some_and(|life| !life.failed);
        pods.iter().find(lives)
    }

    /// The node of a pod that was seen.
    pub(super) fn node(&self, name: &str) -> Option<&str> {
        self.nodes.get(name).map(String::as_str)
    }

    /// When the pod was first seen; `None` where it was there before.
    pub(super) fn after(&self, name: &str) -> Option<Duration> {
        self.came.get(name).map(|life| life.after)
    }
}

/// The agent on which a build says that its shell ran. The shell's trace has the same words before that.
pub(super) fn agent_of(log: &str) -> Option<&str> {
    let mut lines = log.lines().rev();
    lines
        .find_map(|line| line.trim().strip_prefix(SAID))
        .map(str::trim)
}

/// What the build prints before the name of its agent.
pub(super) const SAID: &str = "this is the agent ";

/// Whether Jenkins has given an agent to the build.
pub(super) fn has_agent(log: &str) -> bool {
    log.lines().any(|line| line.starts_with("Running on "))
}

pub(super) fn name(pod: &Object) -> String {
    pod["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

fn nodes(pods: &[Object]) -> impl Iterator<Item = (String, String)> {
    let node = |pod: &Object| Some((name(pod), pod["spec"]["nodeName"].as_str()?.to_owned()));
    pods.iter().filter_map(node)
}

fn is_ready(pod: &Object) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions
        .filter(|condition| condition["type"] == "Ready")
        .any(|condition| condition["status"] == "True")
}

/// Whether it, or its agent, has ended by itself.
fn has_failed(pod: &Object) -> bool {
    let mut containers = pod["status"]["containerStatuses"]
        .as_array()
        .into_iter()
        .flatten();
    let ended = |container: &Object| {
        let code = &container["state"]["terminated"]["exitCode"];
        container["name"] == "jnlp" && code.as_i64().is_some_and(|code| code != 0)
    };
    // A pod that is being deleted was told to end.
    pod["metadata"]["deletionTimestamp"].is_null()
        && (pod["status"]["phase"] == "Failed" || containers.any(ended))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, phase: &str, ready: bool) -> Object {
        let ready = if ready { "True" } else { "False" };
        json!({"metadata": {"name": name}, "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}})
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn pods_that_end_in_error_one_after_the_other_are_counted() {
        let mut pods = AgentPods::since(&[pod("jnlp-old", "Running", true)]);
        let first = [pod("jnlp-old", "Running", true), pod("jnlp-a", "Pending", false)];
        assert_eq!(pods.look(&first, seconds(1)).len(), 0);
        assert_eq!(pods.hope(&first).map(name).as_deref(), Some("jnlp-a"));
        let failed = [pod("jnlp-a", "Failed", false)];
        assert_eq!(pods.look(&failed, seconds(2)).len(), 1);
        assert_eq!(pods.look(&failed, seconds(3)).len(), 0, "it was reported already");
        assert_eq!(pods.hope(&failed), None);
        // The second comes and goes between two looks at its state.
        assert_eq!(
            pods.look(&[pod("jnlp-b", "Pending", false)], seconds(12)).len(),
            0
        );
        assert_eq!(pods.look(&[], seconds(13)).len(), 0);
        assert_eq!(pods.failed(), 2);
        assert_eq!(
            (pods.after("jnlp-b"), pods.after("jnlp-old")),
            (Some(seconds(12)), None)
        );
    }

    #[test]
    fn pods_of_other_builds_come_and_go() {
        let mut pods = AgentPods::since(&[pod("jnlp-old", "Running", true)]);
        assert!(!pods.came());
        let mut other = pod("jnlp-other", "Running", true);
        other["spec"]["nodeName"] = "w1".into();
        pods.look(&[other], seconds(1));
        pods.look(&[], seconds(2));
        assert_eq!((pods.failed(), pods.came()), (0, true));
        assert_eq!(
            (pods.node("jnlp-other"), pods.node("jnlp-old")),
            (Some("w1"), None)
        );
    }

    #[test]
    fn an_agent_that_ends_fails_its_pod_also_while_others_run() {
        let ended = |name: &str, code: i64| {
            json!({"metadata": {"name": "jnlp-a"}, "status": {"phase": "Running", "containerStatuses": [
                {"name": "maven", "state": {"running": {}}},
                {"name": name, "state": {"terminated": {"exitCode": code}}}]}})
        };
        assert!(has_failed(&ended("jnlp", 255)));
        assert!(!has_failed(&ended("jnlp", 0)) && !has_failed(&ended("other", 1)));
        let mut deleted = ended("jnlp", 143);
        deleted["metadata"]["deletionTimestamp"] = "2026-11-30T00:00:00Z".into();
        assert!(!has_failed(&deleted));
    }

    #[test]
    fn the_agent_is_the_one_that_the_shell_names() {
        let log = "Running on jnlp-abcde in /home/jenkins/agent/workspace/x\n+ hostname\n\
                   + echo 'this is the agent jnlp-abcde'\nthis is the agent jnlp-abcde\nFinished: SUCCESS\n";
        assert_eq!(agent_of(log), Some("jnlp-abcde"));
        assert!(has_agent(log) && !has_agent("Still waiting to schedule task\n"));
        assert_eq!(agent_of("+ echo 'this is the agent x'\n"), None);
    }
}
