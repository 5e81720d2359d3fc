//! A directory with a mode and an owner. What is in it is not looked at.

use serde::Deserialize;

use super::file::same_mode;
use super::{Action, Known, Probe, Resource, Seen, Topic, Unreadable, Verdict, sh};

/// A directory.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Directory {
    /// Absolute path.
    pub path: String,
    /// Octal mode.
    #[serde(default = "default_mode")]
    pub mode: String,
    /// `user:group`.
    #[serde(default = "default_owner")]
    pub owner: String,
}

fn default_mode() -> String {
    "0755".to_owned()
}

fn default_owner() -> String {
    "root:root".to_owned()
}

impl Resource for Directory {
    fn probe(&self, ask: &mut Probe) {
        ask.path(&self.path, None);
    }

    fn compare(&self, seen: &Seen) -> Result<Verdict, Unreadable> {
        let Some(state) = seen.path(&self.path)? else {
            return Ok(Verdict::from_lines(
                format!("create directory {}", self.path),
                vec![format!("+mode {}", self.mode)],
            ));
        };
        if state.kind != "directory" {
            return Ok(Verdict::Refused(format!(
                "{} is a {}, and a directory is needed there; move it away and run again",
                self.path, state.kind
            )));
        }
        let mut lines = Vec::new();
        if !same_mode(&state.mode, &self.mode) {
            lines.extend([format!("-mode {}", state.mode), format!("+mode {}", self.mode)]);
        }
        if state.owner != self.owner {
            lines.extend([
                format!("-owner {}", state.owner),
                format!("+owner {}", self.owner),
            ]);
        }
        Ok(Verdict::from_lines(
            format!("change directory {}", self.path),
            lines,
        ))
    }

    fn action(&self, _seen: &Seen, _known: &Known) -> Action {
        let path = sh::quote(&self.path);
        Action::quick(format!(
            "mkdir -p {path}\nchown {} {path}\nchmod {} {path}\n",
            sh::quote(&self.owner),
            sh::quote(&self.mode)
        ))
    }

    fn touches(&self) -> Vec<Topic> {
        vec![Topic::Path(self.path.clone())]
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Path(self.path.clone()), Topic::Packages]
    }
}
