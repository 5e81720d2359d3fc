//! A file whose whole content is ours.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::text_diff::diff;
use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unreadable, sh};

/// A regular file with content, mode and owner.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct File {
    /// Absolute path. Its directory is made when it is missing.
    pub path: String,
    /// The whole content; must end in a newline.
    pub content: String,
    /// Octal mode.
    #[serde(default = "default_mode")]
    pub mode: String,
    /// `user:group`.
    #[serde(default = "default_owner")]
    pub owner: String,
    /// Whether the content must never be shown.
    #[serde(default)]
    pub secret: bool,
    /// Command to run after the file was replaced, such as a reload that loses nothing.
    #[serde(default)]
    pub then: Option<String>,
}

fn default_mode() -> String {
    "0644".to_owned()
}

fn default_owner() -> String {
    "root:root".to_owned()
}

/// Hex SHA-256 of a text.
pub(super) fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// How mode and owner of a path differ: as they are, and as they are wanted. Leading zeros of a mode mean nothing.
pub(super) fn access_diff([mode, owner]: [&str; 2], [wanted_mode, wanted_owner]: [&str; 2]) -> Vec<String> {
    let mut lines = Vec::new();
    if mode.trim_start_matches('0') != wanted_mode.trim_start_matches('0') {
        lines.extend([format!("-mode {mode}"), format!("+mode {wanted_mode}")]);
    }
    if owner != wanted_owner {
        lines.extend([format!("-owner {owner}"), format!("+owner {wanted_owner}")]);
    }
    lines
}

impl File {
    fn differences(&self, seen: &HostState) -> Result<(String, Vec<String>), Unreadable> {
        let sum = sha256(&self.content);
        let Some(state) = seen.path(&self.path)? else {
            let detail = if self.secret {
                vec!["(secret content)".to_owned()]
            } else {
                diff("", &self.content)
            };
            return Ok((format!("create {}", self.path), detail));
        };
        let mut lines = Vec::new();
        if state.sha256.as_deref() != Some(sum.as_str()) {
            match seen.content(&self.path) {
                _ if self.secret => lines.push("(secret content differs)".to_owned()),
                Some(old) => lines.extend(diff(old, &self.content)),
                None => lines.push(format!("-{}", state.kind)),
            }
        }
        lines.extend(access_diff(
            [&state.mode, &state.owner],
            [&self.mode, &self.owner],
        ));
        Ok((format!("change {}", self.path), lines))
    }
}

impl Resource for File {
    fn probe(&self, ask: &mut Probe) {
        ask.path(&self.path, Some(sha256(&self.content)));
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let (summary, lines) = self.differences(seen)?;
        Ok(Comparison::from_lines(summary, lines))
    }

    fn action(&self, _seen: &HostState, _known: &ActionInput) -> Action {
        let write = sh::write_file_and_directory(&self.path, &self.content, &self.mode, &self.owner);
        let then = self.then.as_deref().unwrap_or("");
        Action::quick(format!("{write}{then}\n"))
    }

    fn undo(&self) -> Option<String> {
        Some(format!("rm -f {}\n", sh::quote(&self.path)))
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
    use super::*;

    fn file(content: &str) -> File {
        File {
            path: "/etc/x".into(),
            content: content.into(),
            mode: default_mode(),
            owner: default_owner(),
            secret: false,
            then: None,
        }
    }

    fn seen(content: &str, mode: &str) -> HostState {
        let sum = sha256(content);
        HostState::example(&format!(
            "\x1epaths\nregular file|{mode}|root:root|1.5|/etc/x\n\x1esums\n{sum}  /etc/x\n\x1econtent /etc/x\n{content}\x1eend\n"
        ))
    }

    #[test]
    fn the_same_file_is_in_sync_and_another_mode_is_not() {
        assert_eq!(file("a\n").compare(&seen("a\n", "644")), Ok(Comparison::InSync));
        let Ok(Comparison::Differs(change)) = file("a\n").compare(&seen("a\n", "600")) else {
            unreachable!()
        };
        assert_eq!(change.detail, ["-mode 600", "+mode 0644"]);
    }

    #[test]
    fn a_secret_never_shows_in_a_change() {
        let secret = File {
            secret: true,
            ..file("hunter2\n")
        };
        for seen in [seen("hunter1\n", "644"), HostState::default()] {
            let verdict = secret.compare(&seen);
            assert!(matches!(verdict, Ok(Comparison::Differs(_))));
            assert!(!format!("{verdict:?}").contains("hunter"));
        }
    }
}
