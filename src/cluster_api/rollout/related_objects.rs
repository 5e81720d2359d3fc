//! Reads what explains why something is not ready.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;

use super::causes::causes;
use super::explanation::{Explanation, LogSource};
use super::state::{RolloutKind, RolloutTarget, state};
use crate::cluster_api::call::ApiCall;
use crate::cluster_api::client::Api;
use crate::cluster_api::error::ApiError;
use crate::cluster_api::node::{entries, items};

/// Lines of a failing container's log that are shown.
const LOG_LINES: usize = 12;
/// Containers whose logs are read; more would hide the first.
const LOGS: usize = 3;

/// The objects around a target at one moment.
#[derive(Debug)]
pub(super) struct RelatedObjects {
    pub(super) target: RolloutTarget,
    pub(super) live: Option<Value>,
    /// Pods of the workload, or on the node.
    pub(super) pods: Vec<Value>,
    pub(super) nodes: Vec<Value>,
    pub(super) events: Vec<Value>,
    pub(super) now: Timestamp,
}

impl RelatedObjects {
    /// Without logs, which are read only when they are shown.
    pub(super) fn explanation(&self) -> Explanation {
        Explanation {
            target: self.target.to_string(),
            state: state(self.target.kind, self.live.as_ref()).text,
            causes: causes(self),
        }
    }
}

impl Api {
    /// Why `target` is not ready, with the logs of failing containers.
    pub async fn explain(&self, target: &RolloutTarget) -> Result<Explanation, ApiError> {
        let live = self.read(&target.id()).await?;
        let mut explanation = self.related(target, live).await?.explanation();
        self.add_logs(&mut explanation).await;
        Ok(explanation)
    }

    /// What is around a target that was just read.
    pub(super) async fn related(
        &self,
        target: &RolloutTarget,
        live: Option<Value>,
    ) -> Result<RelatedObjects, ApiError> {
        let related = self.read_scene(target, live).await;
        related.map_err(|e| e.during(format_args!("look into {target}")))
    }

    async fn read_scene(
        &self,
        target: &RolloutTarget,
        live: Option<Value>,
    ) -> Result<RelatedObjects, ApiError> {
        let list = async |path: String| -> Result<Vec<Value>, ApiError> {
            let mut list = self.json(ApiCall::get(path)).await?;
            Ok(list["items"]
                .as_array_mut()
                .map(std::mem::take)
                .unwrap_or_default())
        };
        let pods = async {
            match pods_path(target, live.as_ref()) {
                Some(path) => list(path).await,
                None => Ok(Vec::new()),
            }
        };
        let events = match target.kind {
            RolloutKind::Node => "/api/v1/events?fieldSelector=type%3DWarning&limit=500".to_owned(),
            _ => format!("/api/v1/namespaces/{}/events?limit=500", target.namespace),
        };
        let (pods, nodes, events) = futures::try_join!(pods, list("/api/v1/nodes".into()), list(events))?;
        Ok(RelatedObjects {
            target: target.clone(),
            live,
            pods,
            nodes,
            events,
            now: Timestamp::now(),
        })
    }

    /// Adds the last log lines where a cause names a container; a log that can't be had says so in its place.
    pub(super) async fn add_logs(&self, explanation: &mut Explanation) {
        let with_log = explanation
            .causes
            .iter_mut()
            .filter(|cause| cause.log_source.is_some());
        for cause in with_log.take(LOGS) {
            if let Some(source) = &cause.log_source {
                cause.log = self.last_lines(source).await;
            }
        }
    }

    async fn last_lines(&self, source: &LogSource) -> Vec<String> {
        let LogSource {
            namespace,
            pod,
            container,
            previous,
        } = source;
        let path = format!(
            "/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}&previous={previous}\
             &tailLines={LOG_LINES}&limitBytes=16384"
        );
        match self.text(ApiCall::get(path)).await {
            Ok(log) => log.lines().map(|line| line.trim_end().to_owned()).collect(),
            Err(e) => vec![format!("(cannot be read: {e})")],
        }
    }
}

pub(super) fn pods_path(target: &RolloutTarget, live: Option<&Value>) -> Option<String> {
    if target.kind == RolloutKind::Node {
        return Some(format!(
            "/api/v1/pods?fieldSelector=spec.nodeName%3D{}",
            target.name
        ));
    }
    let selector = label_selector(&live?["spec"]["selector"]);
    let path = format!("/api/v1/namespaces/{}/pods", target.namespace);
    (!selector.is_empty()).then(|| format!("{path}?labelSelector={}", percent(&selector)))
}

fn label_selector(selector: &Value) -> String {
    let equal = entries(&selector["matchLabels"]).map(|(key, value)| (key.clone(), value.as_str()));
    let equal: BTreeMap<_, _> = equal.collect();
    let mut parts: Vec<_> = equal
        .into_iter()
        .map(|(key, value)| format!("{key}={}", value.unwrap_or_default()))
        .collect();
    parts.extend(items(&selector["matchExpressions"]).filter_map(expression));
    parts.join(",")
}

fn expression(expression: &Value) -> Option<String> {
    let key = expression["key"].as_str()?;
    let values: Vec<_> = items(&expression["values"]).filter_map(Value::as_str).collect();
    let values = values.join(",");
    match expression["operator"].as_str()? {
        "In" => Some(format!("{key} in ({values})")),
        "NotIn" => Some(format!("{key} notin ({values})")),
        "Exists" => Some(key.to_owned()),
        "DoesNotExist" => Some(format!("!{key}")),
        _ => None,
    }
}

/// Percent-encodes everything but letters, digits and what is safe in a query.
fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_becomes_a_query() {
        let live = json!({"spec": {"selector": {"matchLabels": {"app": "a"}, "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["x", "y"]}, {"key": "old", "operator": "DoesNotExist"}]}}});
        let target = RolloutTarget::new(RolloutKind::Deployment, "ci", "a");
        assert_eq!(
            pods_path(&target, Some(&live)).as_deref(),
            Some("/api/v1/namespaces/ci/pods?labelSelector=app%3Da%2Ctier%20in%20%28x%2Cy%29%2C%21old")
        );
        assert_eq!(pods_path(&target, None), None);
    }
}
