//! Keys of ours in a JSON file of somebody else.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::text_diff::diff;
use super::{Action, Change, Known, Probe, Resource, Seen, Topic, Unreadable, Verdict, sh};

/// A JSON object into which another is merged: objects key by key, lists by adding what is missing, anything else by
/// ours. Nothing is taken out.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Json {
    /// Absolute path of the file. It and its directory are made when they are missing.
    pub path: String,
    /// The object, as JSON text.
    #[serde(deserialize_with = "object")]
    pub merge: Map<String, Value>,
}

fn object<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    let text = String::deserialize(deserializer)?;
    serde_json::from_str(&text).map_err(serde::de::Error::custom)
}

impl Json {
    /// The file's object with ours in it, and whether that changes it. The error says why the file is none.
    fn merged(&self, text: &str) -> Result<Option<String>, String> {
        let old: Map<String, Value> = if text.trim().is_empty() {
            Map::new()
        } else {
            serde_json::from_str(text).map_err(|error| format!("{} is no JSON object: {error}", self.path))?
        };
        let mut new = old.clone();
        merge(&mut new, &self.merge);
        if new == old {
            return Ok(None);
        }
        // An object of texts and numbers can always be written.
        Ok(Some(format!("{:#}\n", Value::Object(new))))
    }
}

/// Puts `ours` into `theirs`.
fn merge(theirs: &mut Map<String, Value>, ours: &Map<String, Value>) {
    for (key, value) in ours {
        match (theirs.get_mut(key), value) {
            (Some(Value::Object(theirs)), Value::Object(ours)) => merge(theirs, ours),
            (Some(Value::Array(theirs)), Value::Array(ours)) => {
                let missing: Vec<_> = ours
                    .iter()
                    .filter(|item| !theirs.contains(item))
                    .cloned()
                    .collect();
                theirs.extend(missing);
            }
            // An empty list says nothing that its absence doesn't.
            (None, Value::Array(ours)) if ours.is_empty() => {}
            _ => {
                theirs.insert(key.clone(), value.clone());
            }
        }
    }
}

impl Resource for Json {
    fn probe(&self, ask: &mut Probe) {
        ask.path(&self.path, None);
        ask.content(&self.path);
    }

    fn compare(&self, seen: &Seen) -> Result<Verdict, Unreadable> {
        let old = seen.content(&self.path).unwrap_or("");
        Ok(match self.merged(old) {
            Ok(None) => Verdict::InSync,
            Ok(Some(new)) => Verdict::Differs(
                Change::new(format!("merge into {}", self.path)).with_detail(diff(old, &new)),
            ),
            Err(reason) => Verdict::Refused(format!(
                "{reason}; mend it, or remove it if nothing in it is needed"
            )),
        })
    }

    fn action(&self, seen: &Seen, _known: &Known) -> Action {
        let old = seen.content(&self.path).unwrap_or("");
        // The comparison has refused what can't be merged, and found a difference.
        let Ok(Some(new)) = self.merged(old) else {
            return Action::quick(String::new());
        };
        let state = seen.path(&self.path).ok().flatten();
        let (mode, owner) = state.map_or(("0644".to_owned(), "root:root".to_owned()), |state| {
            (state.mode, state.owner)
        });
        Action::quick(sh::write_file_and_directory(&self.path, &new, &mode, &owner))
    }

    fn touches(&self) -> Vec<Topic> {
        vec![Topic::Path(self.path.clone())]
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Path(self.path.clone()), Topic::Packages]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ours() -> Json {
        serde_json::from_value(json!({
            "path": "/etc/docker/daemon.json",
            "merge": r#"{"insecure-registries": ["r:5000"], "registry-mirrors": [], "log-opts": {"max-size": "10m"}}"#
        }))
        .unwrap_or_else(|error| unreachable!("{error}"))
    }

    #[test]
    fn what_others_have_written_stays() {
        let theirs =
            r#"{"data-root": "/data", "insecure-registries": ["old"], "log-opts": {"max-file": "3"}}"#;
        let merged = ours().merged(theirs).ok().flatten().unwrap_or_default();
        let expected = json!({"data-root": "/data", "insecure-registries": ["old", "r:5000"],
            "log-opts": {"max-file": "3", "max-size": "10m"}});
        assert_eq!(serde_json::from_str::<Value>(&merged).ok(), Some(expected));
        assert_eq!(ours().merged(&merged), Ok(None), "merging twice is merging once");
    }

    #[test]
    fn a_missing_file_is_made_and_a_broken_one_is_left_alone() {
        assert!(matches!(ours().merged(""), Ok(Some(_))));
        let broken = ours().merged("{\"data-root\": ");
        assert!(broken.is_err_and(|reason| reason.contains("/etc/docker/daemon.json")));
    }
}
