//! Keys of ours in a JSON file of somebody else.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::file::sha256;
use super::text_diff::diff;
use super::{
    Action, ActionInput, Change, Comparison, HostState, Probe, Resource, Topic, Unreadable, sh, site_file,
};

/// Largest file that is read, in bytes.
const LARGEST: usize = 1_048_576;

/// A JSON object into which another is merged: objects key by key, lists by adding what is missing, anything else by
/// ours. Nothing is taken out.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct JsonFile {
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

impl JsonFile {
    fn key(&self) -> String {
        format!("json {}", self.path)
    }

    /// The file's text, which is empty where there is no file. The error says why it can't be taken for the file.
    fn text<'a>(&self, seen: &'a HostState) -> Result<&'a str, String> {
        let (sum, text) = seen.section(&self.key()).split_once('\n').unwrap_or_default();
        if !sum.is_empty() && sha256(text) != sum {
            let largest = LARGEST / 1024;
            return Err(format!(
                "{} is not UTF-8 text of at most {largest} KiB",
                self.path
            ));
        }
        Ok(text)
    }

    /// What the file is to be, where it differs. The error says why it can't be.
    fn wanted(&self, seen: &HostState) -> Result<Option<String>, String> {
        self.merged(self.text(seen)?)
    }

    /// The file's object with ours in it, and whether that changes it. The error says why the file is none.
    fn merged(&self, text: &str) -> Result<Option<String>, String> {
        let old: Map<String, Value> = if text.trim().is_empty() {
            Map::new()
        } else {
            serde_json::from_str(text)
                .map_err(|error| format!("{} is not a JSON object: {error}", self.path))?
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

impl Resource for JsonFile {
    fn probe(&self, ask: &mut Probe) {
        // The sum tells whether the text has come as it is.
        let path = sh::quote(&self.path);
        let script =
            format!("[ ! -f {path} ] || {{ sha256sum <{path} | cut -c 1-64; head -c {LARGEST} <{path}; }}");
        ask.script(&self.key(), &script);
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        Ok(match self.wanted(seen) {
            Ok(None) => Comparison::InSync,
            Ok(Some(new)) => Comparison::Differs(
                Change::new(format!("merge into {}", self.path))
                    .with_detail(diff(self.text(seen).unwrap_or_default(), &new)),
            ),
            Err(reason) => Comparison::Refused(format!(
                "{reason}; fix it, or remove it if nothing in it is needed"
            )),
        })
    }

    fn action(&self, seen: &HostState, _known: &ActionInput) -> Action {
        // The comparison has refused what can't be merged, and found a difference.
        let (Ok(old), Ok(Some(new))) = (self.text(seen), self.wanted(seen)) else {
            return Action::quick(String::new());
        };
        let directory = self.path.rsplit_once('/').map_or("/", |(directory, _)| directory);
        let same = format!(
            "[ \"$(sha256sum <\"$old\" | cut -c 1-64)\" = {} ] || {{ echo \"$file has changed meanwhile; run again\" >&2; exit 1; }}\n",
            sha256(old)
        );
        let replace = site_file::edit(&self.path, &format!("{same}{}", sh::print(&new)));
        Action::quick(format!("mkdir -p {}\n{replace}", sh::quote(directory)))
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

    use super::super::site_file::tests::{Site, converge, look, run};
    use super::*;

    fn ours() -> JsonFile {
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

    #[test]
    fn a_file_is_merged_where_it_is_or_not_touched() {
        let merged = |content: &[u8], linked| {
            let site = Site::with(content, linked);
            let ours = JsonFile {
                path: site.path(),
                ..ours()
            };
            (site, ours)
        };
        let long = format!("{{\"labels\": [\"{}\"]}}", "ü".repeat(70_000));
        let (site, ours) = merged(long.as_bytes(), true);
        converge(&ours);
        assert!(String::from_utf8_lossy(&site.content()).contains(&"ü".repeat(70_000)));
        assert!(site.is_whole(true));

        let latin = b"{\"data-root\": \"/donn\xe9es\"}";
        let (_site, ours) = merged(latin, false);
        assert!(matches!(look(&ours).1, Comparison::Refused(why) if why.contains("UTF-8")));
    }

    #[test]
    fn what_has_changed_since_the_look_is_not_overwritten() {
        let site = Site::with(b"{}", false);
        let ours = JsonFile {
            path: site.path(),
            ..ours()
        };
        let (seen, _) = look(&ours);
        assert!(fs_err::write(site.path(), "{\"data-root\": \"/d\"}").is_ok());
        let (done, printed) = run(&ours.action(&seen, &ActionInput::default()).script);
        assert!(!done && printed.contains("has changed meanwhile"), "{printed}");
        assert_eq!(site.content(), b"{\"data-root\": \"/d\"}");
    }
}
