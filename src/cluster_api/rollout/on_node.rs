//! Waits for the pod that a `DaemonSet` has on one node: other nodes may be lost, and their pods with them.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::related_objects::RelatedObjects;
use super::state::{RolloutTarget, State, number};
use super::wait::{AWAY, LOOK, RolloutError, UnhealthySince};
use crate::cluster_api::call::ApiCall;
use crate::cluster_api::client::Api;
use crate::cluster_api::error::ApiError;
use crate::cluster_api::node::{Condition, items};
use crate::cluster_api::object::Object;

/// How often the pod is looked at.
const PAUSE: Duration = Duration::from_secs(2);
/// The annotation of a `DaemonSet` and the label of its pods that say which version of the template they have.
const TEMPLATE: &str = "deprecated.daemonset.template.generation";
const TEMPLATE_LABEL: &str = "pod-template-generation";

impl Api {
    /// How far the pod of a `DaemonSet` on a node is; `None` when it is ready and up to date.
    pub async fn unready_on(&self, daemon: &RolloutTarget, node: &str) -> Result<Option<String>, ApiError> {
        let live = self.read(&daemon.id()).await?;
        let state = self.state_on(daemon, live.as_ref(), node).await?;
        Ok((!state.done).then_some(state.text))
    }

    /// Waits until the pod of a `DaemonSet` on a node is ready and up to date, at most `limit` after the last pod that was replaced.
    pub async fn wait_on(
        &self,
        daemon: &RolloutTarget,
        node: &str,
        limit: Duration,
        mut progress: impl FnMut(&str) + Send,
    ) -> Result<(), RolloutError> {
        let mut patience = PodTimeout::new(limit, Instant::now());
        let (mut said, mut bad) = (String::new(), UnhealthySince::default());
        let (mut answered, mut looked) = (Instant::now(), Instant::now());
        loop {
            let late = patience.is_over(Instant::now());
            match self.round_on(daemon, node).await {
                Ok((_, state)) if state.done => return Ok(()),
                Ok((live, state)) => {
                    answered = Instant::now();
                    patience.renew(live.as_ref().map_or(0, updated), answered);
                    if said != state.text {
                        progress(&state.text);
                        said = state.text;
                    }
                    if late || looked.elapsed() >= LOOK {
                        looked = Instant::now();
                        self.look_on(daemon, live, node, &mut bad, late.then_some(limit))
                            .await?;
                    }
                }
                Err(e) if !e.may_heal() || answered.elapsed() > AWAY || late => return Err(e.into()),
                Err(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn round_on(
        &self,
        daemon: &RolloutTarget,
        node: &str,
    ) -> Result<(Option<Object>, State), ApiError> {
        let live = self.read(&daemon.id()).await?;
        let state = self.state_on(daemon, live.as_ref(), node).await?;
        Ok((live, state))
    }

    async fn state_on(
        &self,
        daemon: &RolloutTarget,
        live: Option<&Object>,
        node: &str,
    ) -> Result<State, ApiError> {
        let Some(live) = live else {
            return Ok(waiting("does not exist"));
        };
        let pods = self.daemon_pods(daemon, live).await?;
        let state = state_on(live, &pods, node);
        if !state.outdated {
            return Ok(state.state);
        }
        let nodes = self.json(ApiCall::get("/api/v1/nodes")).await?;
        let nodes: Vec<_> = items(&nodes["items"]).cloned().collect();
        Ok(State {
            done: is_held_up(&pods, &nodes),
            ..state.state
        })
    }

    async fn daemon_pods(&self, daemon: &RolloutTarget, live: &Object) -> Result<Vec<Value>, ApiError> {
        let Some(path) = super::related_objects::pods_path(daemon, Some(live)) else {
            return Ok(Vec::new());
        };
        let list = self.json(ApiCall::get(path)).await;
        let list = list.map_err(|e| e.during(format_args!("list the pods of {daemon}")))?;
        Ok(items(&list["items"]).cloned().collect())
    }

    /// Looks for causes on this node, and fails when one is hopeless or the limit, if given, has passed.
    async fn look_on(
        &self,
        daemon: &RolloutTarget,
        live: Option<Object>,
        node: &str,
        bad: &mut UnhealthySince,
        passed: Option<Duration>,
    ) -> Result<(), RolloutError> {
        let mut related = match self.related(daemon, live).await {
            Ok(related) => related,
            Err(e) if passed.is_none() && e.may_heal() => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        on_node(&mut related, node);
        let mut explanation = related.explanation();
        explanation.target = format!("{daemon} on {node}");
        let hopeless = bad.hopeless(&explanation.causes);
        if hopeless || passed.is_some() {
            self.add_logs(&mut explanation).await;
        }
        match (hopeless, passed) {
            (true, _) => Err(RolloutError::Hopeless { explanation }),
            (false, Some(limit)) => Err(RolloutError::TimedOut { limit, explanation }),
            (false, None) => Ok(()),
        }
    }
}

/// How long a pod is waited for. A changed `DaemonSet` replaces its pods one by one: each that was replaced renews the time of those
/// whose turn is still to come.
struct PodTimeout {
    limit: Duration,
    deadline: Instant,
    updated: i64,
}

impl PodTimeout {
    fn new(limit: Duration, now: Instant) -> Self {
        Self {
            limit,
            deadline: now + limit,
            updated: 0,
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        now >= self.deadline
    }

    fn renew(&mut self, updated: i64, now: Instant) {
        if updated > self.updated {
            self.deadline = now + self.limit;
        }
        self.updated = updated;
    }
}

/// How many nodes have the pod of the current template.
fn updated(daemon: &Object) -> i64 {
    number(&daemon["status"]["updatedNumberScheduled"])
}

/// Leaves of a scene what is on one node.
fn on_node(related: &mut RelatedObjects, node: &str) {
    related.pods.retain(|pod| pod["spec"]["nodeName"] == node);
    related.nodes.retain(|other| other["metadata"]["name"] == node);
}

fn waiting(text: &str) -> State {
    State {
        done: false,
        text: text.to_owned(),
    }
}

/// How far a pod is, and whether it is only of the version before.
struct PodOnNode {
    state: State,
    outdated: bool,
}

fn state_on(daemon: &Value, pods: &[Value], node: &str) -> PodOnNode {
    let reported = |text: &str| PodOnNode {
        state: waiting(text),
        outdated: false,
    };
    if number(&daemon["status"]["observedGeneration"]) < number(&daemon["metadata"]["generation"]) {
        return reported("not yet taken up by its controller");
    }
    let here = pods
        .iter()
        .filter(|pod| pod["spec"]["nodeName"] == node)
        .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    let Some(pod) = here.max_by_key(|pod| pod["metadata"]["creationTimestamp"].as_str()) else {
        return reported(&format!("no pod on {node} yet"));
    };
    if !is_ready(pod) {
        return reported(&format!("its pod on {node} is not ready"));
    }
    let wanted = daemon["metadata"]["annotations"][TEMPLATE].as_str();
    let outdated = wanted.is_some() && pod["metadata"]["labels"][TEMPLATE_LABEL].as_str() != wanted;
    PodOnNode {
        state: State {
            done: !outdated,
            text: format!("its pod on {node} is of the version before"),
        },
        outdated,
    }
}

fn is_ready(object: &Value) -> bool {
    let conditions = Condition::all(object);
    conditions.iter().any(|c| c.kind == "Ready" && c.status == "True")
}

/// Whether a pod on a node that is not ready keeps the `DaemonSet` from replacing others: it takes away only so many at a time.
fn is_held_up(pods: &[Value], nodes: &[Value]) -> bool {
    let is_lost = |name: &Value| {
        let node = nodes.iter().find(|node| node["metadata"]["name"] == *name);
        node.is_some_and(|node| !is_ready(node))
    };
    pods.iter().any(|pod| is_lost(&pod["spec"]["nodeName"]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn daemon() -> Value {
        json!({"metadata": {"generation": 3, "annotations": {TEMPLATE: "2"}}, "status": {"observedGeneration": 3}})
    }

    fn pod(node: &str, template: &str, ready: &str) -> Value {
        json!({"metadata": {"labels": {TEMPLATE_LABEL: template}}, "spec": {"nodeName": node},
            "status": {"conditions": [{"type": "Ready", "status": ready}]}})
    }

    fn node(name: &str, ready: &str) -> Value {
        json!({"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": ready}]}})
    }

    fn text(daemon: &Value, pods: &[Value]) -> Option<String> {
        let state = state_on(daemon, pods, "w1").state;
        (!state.done).then_some(state.text)
    }

    #[test]
    fn each_pod_that_was_replaced_renews_the_patience() {
        let (start, minute) = (Instant::now(), Duration::from_secs(60));
        let mut patience = PodTimeout::new(2 * minute, start);
        for (updated, minutes) in [(1, 1), (2, 2), (3, 3), (4, 4)] {
            let now = start + minutes * minute;
            patience.renew(updated, now);
            assert!(!patience.is_over(now), "{updated}");
        }
        patience.renew(4, start + 5 * minute);
        assert!(!patience.is_over(start + 5 * minute));
        assert!(
            patience.is_over(start + 6 * minute),
            "nothing was replaced for two minutes"
        );
    }

    #[test]
    fn only_this_nodes_pod_counts() {
        let others = [pod("w2", "2", "False"), pod("w1", "2", "True")];
        assert_eq!(text(&daemon(), &others), None);
        assert_eq!(text(&daemon(), &others[..1]).as_deref(), Some("no pod on w1 yet"));
        let broken = [pod("w2", "2", "True"), pod("w1", "2", "False")];
        assert_eq!(
            text(&daemon(), &broken).as_deref(),
            Some("its pod on w1 is not ready")
        );
    }

    #[test]
    fn a_change_is_done_when_the_new_pod_is_ready() {
        let mut changed = daemon();
        changed["metadata"]["generation"] = 4.into();
        let pods = [pod("w1", "1", "True")];
        let said = text(&changed, &pods);
        assert_eq!(said.as_deref(), Some("not yet taken up by its controller"));
        let said = text(&daemon(), &pods);
        assert_eq!(said.as_deref(), Some("its pod on w1 is of the version before"));
        let mut leaving = pod("w1", "2", "True");
        leaving["metadata"]["deletionTimestamp"] = "2026-11-30T02:00:00Z".into();
        assert_eq!(text(&daemon(), &[leaving]).as_deref(), Some("no pod on w1 yet"));
    }

    #[test]
    fn a_lost_node_holds_nobody_up() {
        let pods = [pod("w1", "1", "True"), pod("w2", "1", "False")];
        let nodes = |ready: &str| [node("w1", "True"), node("w2", ready)];
        assert!(is_held_up(&pods, &nodes("Unknown")));
        assert!(!is_held_up(&pods, &nodes("True")));
    }
}
