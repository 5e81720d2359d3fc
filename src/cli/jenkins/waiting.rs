//! Why builds wait that Jenkins has asked for pods for: pods that don't get ready, and pods that it may not make.

use serde::Serialize;

use crate::cluster_api::{Api, ApiError, Explanation, Object};
use crate::cluster_resource::JenkinsWorkload;
use crate::jenkins::is_refusal;
use crate::model::Jenkins;

/// Pods that are asked why; each costs the events of its namespace.
const ASKED: usize = 10;
/// Jenkins tries again every two seconds, so that what still holds was said in this time, in seconds.
const RECENT: u32 = 120;

/// What keeps builds from their pods.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Waiting {
    /// Pods of agents that are not ready, the first few of them.
    pods: Vec<WaitingPod>,
    /// How many more there are.
    more_pods: usize,
    /// Why the API server lets Jenkins make no pod: the last word in its log.
    refusal: Option<String>,
}

/// A pod of an agent that is not ready.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct WaitingPod {
    /// Namespace and name.
    pod: String,
    /// What keeps it, in the scheduler's or the kubelet's words.
    reasons: Vec<String>,
}

impl Waiting {
    /// Looks at the pods of all agents, and at the controller's log.
    pub(super) async fn ask(jenkins: &Jenkins, api: &Api) -> Result<Self, ApiError> {
        let namespaces = &jenkins.agents.namespaces;
        let pods = futures::future::try_join_all(namespaces.iter().map(|name| api.pods(name)));
        let container = JenkinsWorkload::from_jenkins(jenkins).container();
        let (pods, log) = futures::try_join!(pods, api.recent_log(&container, RECENT))?;
        let pods: Vec<_> = pods.into_iter().flatten().filter(is_waiting).collect();
        let asked = pods.iter().take(ASKED).map(|pod| api.explain_pod(pod));
        let explanations = futures::future::try_join_all(asked).await?;
        Ok(Self {
            more_pods: pods.len().saturating_sub(ASKED),
            pods: explanations.into_iter().filter_map(WaitingPod::new).collect(),
            refusal: log
                .lines()
                .rfind(|line| is_refusal(line))
                .map(|line| line.trim().to_owned()),
        })
    }

    /// A line for each.
    pub(super) fn text(&self) -> String {
        let pods = self.pods.iter().map(|WaitingPod { pod, reasons }| {
            let reasons: Vec<_> = reasons.iter().map(|reason| format!("    {reason}\n")).collect();
            format!("  pod {pod} is not ready:\n{}", reasons.concat())
        });
        let mut text: String = pods.collect();
        if self.more_pods > 0 {
            text.push_str(&format!(
                "  and {} more pods that are not ready\n",
                self.more_pods
            ));
        }
        if let Some(line) = &self.refusal {
            text.push_str(&format!("  Jenkins may make no pod: {line}\n"));
        }
        text
    }
}

impl WaitingPod {
    /// Nothing where the pod has become ready or is gone.
    fn new(explanation: Explanation) -> Option<Self> {
        let reasons: Vec<_> = explanation
            .causes
            .into_iter()
            .flat_map(|cause| {
                std::iter::once(cause.problem).chain(cause.hint.map(|hint| format!("help: {hint}")))
            })
            .collect();
        let pod = explanation
            .target
            .strip_prefix("pod ")
            .unwrap_or(&explanation.target);
        (!reasons.is_empty()).then(|| Self {
            pod: pod.to_owned(),
            reasons,
        })
    }
}

/// Whether it is the pod of an agent that a build still waits for.
fn is_waiting(pod: &Object) -> bool {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
    let gone = !pod["metadata"]["deletionTimestamp"].is_null() || pod["status"]["phase"] == "Succeeded";
    pod["metadata"]["labels"]["jenkins"] == "slave" && !ready && !gone
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_agents_on_their_way_are_waited_for() {
        let pod = |label: &str, phase: &str, ready: &str| json!({"metadata": {"labels": {"jenkins": label}}, "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}});
        assert!(is_waiting(&pod("slave", "Pending", "False")));
        assert!(
            is_waiting(&pod("slave", "Failed", "False")),
            "Jenkins makes another one"
        );
        assert!(!is_waiting(&pod("slave", "Running", "True")));
        assert!(!is_waiting(&pod("slave", "Succeeded", "False")));
        assert!(!is_waiting(&pod("image-build", "Pending", "False")));
        let mut going = pod("slave", "Pending", "False");
        going["metadata"]["deletionTimestamp"] = json!("2026-11-30T06:00:00Z");
        assert!(!is_waiting(&going));
    }

    #[test]
    fn pods_and_refusals_are_told() {
        let pod = WaitingPod {
            pod: "kube-ops-agents/maven-x1".to_owned(),
            reasons: vec!["Unschedulable: 0/3 nodes are available: 3 Insufficient memory.".to_owned()],
        };
        let waiting = Waiting {
            pods: vec![pod],
            more_pods: 2,
            refusal: Some("pods \"maven-x2\" is forbidden: exceeded quota: agents".to_owned()),
        };
        assert_eq!(
            waiting.text(),
            "  pod kube-ops-agents/maven-x1 is not ready:\n    Unschedulable: 0/3 nodes are available: 3 Insufficient memory.\n  \
             and 2 more pods that are not ready\n  Jenkins may make no pod: pods \"maven-x2\" is forbidden: exceeded quota: agents\n"
        );
        assert_eq!(Waiting::default().text(), "");
    }
}
