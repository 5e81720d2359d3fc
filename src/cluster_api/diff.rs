//! What would change in an object, as text that a person can review.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use similar::TextDiff;

use super::object::ObjectId;

/// Fields that tell list items apart, in the order in which they are tried.
const ITEM_KEYS: [&str; 6] = ["name", "mountPath", "containerPort", "port", "key", "ip"];

/// The changed fields with their old (`-`) and new (`+`) values; empty when nothing changed.
/// Values of Secrets are never shown.
pub(super) fn render(id: &ObjectId, before: &Value, after: &Value) -> String {
    let mut diff = ObjectDiff {
        secret: id.is_secret(),
        text: String::new(),
    };
    diff.compare("", Some(before), Some(after));
    diff.text
}

struct ObjectDiff {
    secret: bool,
    text: String,
}

impl ObjectDiff {
    fn compare(&mut self, path: &str, before: Option<&Value>, after: Option<&Value>) {
        match (before, after) {
            (before, after) if before == after => {}
            (Some(Value::Object(before)), Some(Value::Object(after))) => {
                self.compare_maps(path, before, after);
            }
            (Some(Value::Array(before)), Some(Value::Array(after))) => {
                self.compare_lists(path, before, after);
            }
            (before, after) => self.change(path, before, after),
        }
    }

    fn compare_maps(&mut self, path: &str, before: &Map<String, Value>, after: &Map<String, Value>) {
        for (key, value) in before {
            self.compare(&below(path, key), Some(value), after.get(key));
        }
        for (key, value) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
            self.compare(&below(path, key), None, Some(value));
        }
    }

    fn compare_lists(&mut self, path: &str, before: &[Value], after: &[Value]) {
        let key = ITEM_KEYS
            .into_iter()
            .find(|key| tells_apart(key, before) && tells_apart(key, after));
        let Some(key) = key else {
            return self.compare_by_index(path, before, after);
        };
        let find = |list: &'_ [Value], item: &Value| list.iter().position(|other| other[key] == item[key]);
        for item in before {
            let new = find(after, item).map(|at| &after[at]);
            self.compare(&format!("{path}[{key}={}]", plain(&item[key])), Some(item), new);
        }
        for item in after.iter().filter(|item| find(before, item).is_none()) {
            self.compare(&format!("{path}[{key}={}]", plain(&item[key])), None, Some(item));
        }
        let order = |list: &[Value]| list.iter().map(|item| plain(&item[key])).collect::<Vec<_>>();
        let (old, new) = (order(before), order(after));
        if old.len() == new.len() && old != new && new.iter().all(|name| old.contains(name)) {
            let _ = write!(
                self.text,
                "{path} (order)\n-   {}\n+   {}\n",
                old.join(", "),
                new.join(", ")
            );
        }
    }

    fn compare_by_index(&mut self, path: &str, before: &[Value], after: &[Value]) {
        if before.len() != after.len() || !before.iter().chain(after).all(Value::is_object) {
            let list = |items: &[Value]| Some(Value::Array(items.to_vec()));
            return self.change(path, list(before).as_ref(), list(after).as_ref());
        }
        for (at, (before, after)) in before.iter().zip(after).enumerate() {
            self.compare(&format!("{path}[{at}]"), Some(before), Some(after));
        }
    }

    fn change(&mut self, path: &str, before: Option<&Value>, after: Option<&Value>) {
        let _ = writeln!(self.text, "{path}");
        if self.secret && (path.starts_with("data") || path.starts_with("stringData")) {
            let hidden = |value: Option<&Value>| value.map_or("(absent)", |_| "(hidden)");
            let _ = write!(self.text, "-   {}\n+   {}\n", hidden(before), hidden(after));
            return;
        }
        if let (Some(Value::String(before)), Some(Value::String(after))) = (before, after)
            && (before.contains('\n') || after.contains('\n'))
        {
            return self.changed_lines(before, after);
        }
        for (sign, value) in [('-', before), ('+', after)] {
            for line in value.map(shown).iter().flat_map(|text| text.lines()) {
                let _ = writeln!(self.text, "{sign}   {line}");
            }
        }
    }

    fn changed_lines(&mut self, before: &str, after: &str) {
        let diff = TextDiff::from_lines(before, after);
        for hunk in diff.unified_diff().context_radius(2).iter_hunks() {
            for change in hunk.iter_changes() {
                let _ = writeln!(
                    self.text,
                    "{}   {}",
                    change.tag(),
                    change.value().trim_end_matches('\n')
                );
            }
        }
    }
}

fn below(path: &str, key: &str) -> String {
    let key = if key.contains(['.', '/']) {
        format!("[{key}]")
    } else {
        key.to_owned()
    };
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}

fn tells_apart(key: &str, list: &[Value]) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    list.iter()
        .all(|item| item.get(key).is_some_and(|value| seen.insert(value.to_string())))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Short values on one line, long ones spread out.
fn shown(value: &Value) -> String {
    let short = value.to_string();
    if short.len() <= 80 {
        return short;
    }
    serde_json::to_string_pretty(value).unwrap_or(short)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(kind: &str) -> ObjectId {
        ObjectId::new("v1", kind, None, "x")
    }

    #[test]
    fn a_changed_variable_is_named_by_its_path() {
        let with = |value: &str| json!({"spec": {"containers": [{"name": "node", "env": [{"name": "A", "value": value}, {"name": "B"}]}]}});
        assert_eq!(
            render(&id("Pod"), &with("1"), &with("2")),
            "spec.containers[name=node].env[name=A].value\n-   \"1\"\n+   \"2\"\n"
        );
    }

    #[test]
    fn added_removed_and_reordered_items_show() {
        let before = json!({"l": [{"name": "a"}, {"name": "b"}], "o": [{"name": "x"}, {"name": "y"}]});
        let after = json!({"l": [{"name": "b"}, {"name": "c"}], "o": [{"name": "y"}, {"name": "x"}]});
        assert_eq!(
            render(&id("Pod"), &before, &after),
            "l[name=a]\n-   {\"name\":\"a\"}\nl[name=c]\n+   {\"name\":\"c\"}\no (order)\n-   x, y\n+   y, x\n"
        );
    }

    #[test]
    fn long_text_shows_its_changed_lines() {
        let text =
            |middle: &str| json!({"data": {"conf.json": format!("one\ntwo\n{middle}\nfour\nfive\nsix\n")}});
        assert_eq!(
            render(&id("ConfigMap"), &text("3"), &text("three")),
            "data.[conf.json]\n    one\n    two\n-   3\n+   three\n    four\n    five\n"
        );
    }

    #[test]
    fn secrets_stay_hidden() {
        let text = render(
            &id("Secret"),
            &json!({"data": {"k": "b2xk"}}),
            &json!({"data": {"k": "bmV3"}}),
        );
        assert_eq!(text, "data.k\n-   (hidden)\n+   (hidden)\n");
        let text = render(&id("Secret"), &json!({}), &json!({"data": {"k": "bmV3"}}));
        assert!(!text.contains("bmV3"), "{text}");
    }
}
