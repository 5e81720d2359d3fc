//! A directory with a mode and an owner. What is in it is not looked at.

use serde::Deserialize;

use super::file::access_diff;
use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unreadable, sh};

/// A directory.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Directory {
    /// Absolute path.
    pub path: String,
    /// Octal mode.
    #[serde(default = "default_mode")]
    pub mode: String,
    /// `user:group`, by name or by number.
    #[serde(default = "default_owner")]
    pub owner: String,
}

impl Directory {
    /// Whether the owner is given in numbers, which need not have names on the host.
    fn owner_by_number(&self) -> bool {
        self.owner.starts_with(|first: char| first.is_ascii_digit())
    }

    fn key(&self) -> String {
        format!("owner {}", self.path)
    }
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
        if self.owner_by_number() {
            let path = sh::quote(&self.path);
            ask.script(&self.key(), &format!("stat -c %u:%g -- {path} 2>/dev/null"));
        }
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let Some(state) = seen.path(&self.path)? else {
            return Ok(Comparison::from_lines(
                format!("create directory {}", self.path),
                vec![format!("+mode {}", self.mode)],
            ));
        };
        if state.kind != "directory" {
            return Ok(Comparison::Refused(format!(
                "{} is a {}, and a directory is needed there; move it away and run again",
                self.path, state.kind
            )));
        }
        let owner = if self.owner_by_number() {
            seen.section(&self.key()).trim()
        } else {
            &state.owner
        };
        Ok(Comparison::from_lines(
            format!("change directory {}", self.path),
            access_diff([&state.mode, owner], [&self.mode, &self.owner]),
        ))
    }

    fn action(&self, _seen: &HostState, _known: &ActionInput) -> Action {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_in_numbers_is_compared_by_numbers() {
        let directory = |owner: &str| Directory {
            path: "/srv/d".into(),
            mode: "0755".into(),
            owner: owner.into(),
        };
        let seen = HostState::example(
            "\x1epaths\ndirectory|755|UNKNOWN:root|1.0|/srv/d\n\x1eowner /srv/d\n1000:0\n\x1eend\n",
        );
        assert_eq!(directory("1000:0").compare(&seen), Ok(Comparison::InSync));
        let Ok(Comparison::Differs(change)) = directory("1000:1000").compare(&seen) else {
            unreachable!()
        };
        assert_eq!(change.detail, ["-owner 1000:0", "+owner 1000:1000"]);
    }
}
