//! Keys that a new configuration no longer has: Jenkins keeps for them what it had.

use serde_json::Value;

use crate::cluster_api::Object;
use crate::yaml;

/// Paths of the keys that `live` has and `wanted` has not, in the documents of two `ConfigMap`s; the first of each branch. Lists are
/// replaced as a whole, so that nothing of theirs is kept.
pub(super) fn taken_out(live: &Object, wanted: &Object) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in live["data"].as_object().into_iter().flatten() {
        let wanted = wanted["data"].get(name).unwrap_or(&Value::Null);
        compare("", &document(text), &document(wanted), &mut found);
    }
    found
}

/// What is no YAML was not loaded either.
fn document(text: &Value) -> Value {
    let documents = yaml::manifests(text.as_str().unwrap_or_default()).unwrap_or_default();
    documents.into_iter().next().unwrap_or_default()
}

fn compare(path: &str, live: &Value, wanted: &Value, found: &mut Vec<String>) {
    let (Value::Object(live), Value::Object(wanted)) = (live, wanted) else {
        return;
    };
    for (key, value) in live {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        match wanted.get(key) {
            Some(wanted) => compare(&path, value, wanted, found),
            None => found.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_keys_that_are_gone_are_named() {
        let map = |text: &str| json!({"data": {"jenkins.yaml": text}});
        let live = map(
            "jenkins: { systemMessage: a, quietPeriod: 1, clouds: [{ x: 1 }] }\ntool: { git: { a: 1 } }\n",
        );
        let wanted = map("jenkins: { systemMessage: b, clouds: [{ y: 1 }], numExecutors: 0 }\n");
        assert_eq!(taken_out(&live, &wanted), ["jenkins.quietPeriod", "tool"]);
        assert_eq!(taken_out(&live, &live), [""; 0]);
        assert_eq!(taken_out(&json!({}), &wanted), [""; 0]);
    }
}
