//! The configuration that Jenkins says it has against the one that is meant.

use serde_json::Value;

/// Where `exported` says something else than `meant`, as `path: exported → meant`.
///
/// What Jenkins leaves out has its default, which may be what is meant; variables are secrets, which it exports encrypted. So only
/// contradictions are reported: another value, or a list in which an entry with this name is missing.
pub fn contradictions(meant: &Value, exported: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare(meant, exported, "", &mut lines);
    lines
}

fn compare(meant: &Value, exported: &Value, path: &str, lines: &mut Vec<String>) {
    match (meant, exported) {
        (Value::Object(meant), Value::Object(exported)) => {
            for (key, value) in meant {
                let below = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                compare(value, exported.get(key).unwrap_or(&Value::Null), &below, lines);
            }
        }
        (Value::Array(meant), Value::Array(exported)) => {
            for entry in meant {
                let Some(name) = name(entry) else { continue };
                match exported.iter().find(|other| self::name(other) == Some(name)) {
                    Some(other) => compare(entry, other, &format!("{path}[{name}]"), lines),
                    None => lines.push(format!("{path}: {name} is missing")),
                }
            }
        }
        _ => {
            if let (Some(meant), Some(exported)) = (text(meant), text(exported))
                && !meant.contains("${")
                && meant.trim() != exported.trim()
            {
                lines.push(format!(
                    "{path}: {} → {}",
                    first_line(&exported),
                    first_line(&meant)
                ));
            }
        }
    }
}

/// What tells an entry of a list from its neighbours; it may stand one level deeper, below its kind.
fn name(entry: &Value) -> Option<&str> {
    let fields = entry.as_object()?;
    let own = ["id", "name"].iter().find_map(|key| fields.get(*key)?.as_str());
    match (own, fields.len()) {
        (None, 1) => fields.values().next().and_then(name),
        _ => own,
    }
}

/// A plain value as text; a number may be exported as text and the other way round.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_secrets_and_forms_are_no_contradictions() {
        let meant = json!({"jenkins": {"mode": "EXCLUSIVE", "numExecutors": 0, "securityRealm": {"local": {"users": [
            {"id": "admin", "password": "${readFile:/x}"}]}}, "clouds": [{"kubernetes": {"name": "k", "containerCapStr": "10", "skipTlsVerify": false}}]}});
        let exported = json!({"jenkins": {"mode": "EXCLUSIVE", "numExecutors": 0, "securityRealm": {"local": {"users": [
            {"id": "admin", "password": "#jbcrypt:x"}]}}, "clouds": [{"kubernetes": {"name": "k", "containerCapStr": 10}}]}});
        assert_eq!(contradictions(&meant, &exported), [""; 0]);
    }

    #[test]
    fn what_somebody_changed_is_named() {
        let meant = json!({"jenkins": {"numExecutors": 0, "clouds": [
            {"kubernetes": {"name": "a", "namespace": "agents"}}, {"kubernetes": {"name": "b"}}]}});
        let exported = json!({"jenkins": {"numExecutors": 2, "clouds": [{"kubernetes": {"name": "a", "namespace": "default"}}]}});
        assert_eq!(
            contradictions(&meant, &exported),
            [
                "jenkins.numExecutors: 2 → 0",
                "jenkins.clouds[a].kubernetes.namespace: default → agents",
                "jenkins.clouds: b is missing"
            ]
        );
    }
}
