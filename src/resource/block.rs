//! Marked lines of ours inside a file of somebody else.

use serde::Deserialize;

use super::text_diff::diff;
use super::{Action, Known, Probe, Resource, Seen, Topic, Unreadable, Verdict, sh};

const BEGIN: &str = "# BEGIN ci-bootstrap";
const END: &str = "# END ci-bootstrap";

/// Lines between two marks; everything around them stays as it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Block {
    /// Absolute path of the file.
    pub path: String,
    /// The lines between the marks.
    pub content: String,
}

impl Block {
    /// The text with our block in place: where it stands, or at the end.
    fn place(&self, text: &str) -> String {
        let block = format!("{BEGIN}\n{}\n{END}\n", self.content.trim_end_matches('\n'));
        let (before, after) = match text.split_once(&format!("{BEGIN}\n")) {
            // A mark without its end was cut off by hand: what follows it is not known to be ours, so it stays.
            Some((before, rest)) => match rest.split_once(&format!("{END}\n")) {
                Some((_, after)) => (before, after),
                None => (before, rest),
            },
            None => (text, ""),
        };
        let newline = if before.is_empty() || before.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        format!("{before}{newline}{block}{after}")
    }
}

impl Resource for Block {
    fn probe(&self, ask: &mut Probe) {
        ask.path(&self.path, None);
        ask.content(&self.path);
    }

    fn compare(&self, seen: &Seen) -> Result<Verdict, Unreadable> {
        let old = seen.content(&self.path).unwrap_or("");
        Ok(Verdict::from_lines(
            format!("change our block in {}", self.path),
            diff(old, &self.place(old)),
        ))
    }

    fn action(&self, seen: &Seen, _known: &Known) -> Action {
        let old = seen.content(&self.path).unwrap_or("");
        let state = seen.path(&self.path).ok().flatten();
        let (mode, owner) = state.map_or(("0644".to_owned(), "root:root".to_owned()), |state| {
            (state.mode, state.owner)
        });
        Action::quick(sh::write_file(&self.path, &self.place(old), &mode, &owner))
    }

    fn undo(&self) -> Option<String> {
        let path = sh::quote(&self.path);
        Some(format!(
            "[ ! -e {path} ] || sed -i '/^{BEGIN}$/,/^{END}$/d' {path}\n"
        ))
    }

    fn touches(&self) -> Vec<Topic> {
        vec![Topic::Path(self.path.clone())]
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Path(self.path.clone())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block(content: &str) -> Block {
        Block {
            path: "/etc/hosts".into(),
            content: content.into(),
        }
    }

    #[test]
    fn keeps_what_stands_around_it() {
        let text = "127.0.0.1 localhost\n# BEGIN ci-bootstrap\nold\n# END ci-bootstrap\nlast\n";
        let expected = "127.0.0.1 localhost\n# BEGIN ci-bootstrap\nnew\n# END ci-bootstrap\nlast\n";
        assert_eq!(block("new").place(text), expected);
    }

    #[test]
    fn a_block_whose_end_is_missing_loses_no_line() {
        assert_eq!(
            block("new").place("a\n# BEGIN ci-bootstrap\nb\n"),
            "a\n# BEGIN ci-bootstrap\nnew\n# END ci-bootstrap\nb\n"
        );
    }

    proptest! {
        #[test]
        fn placing_twice_is_placing_once(text in "([a-z #]{0,6}\n){0,5}[a-z]{0,3}", content in "[a-z0-9. ]{1,9}") {
            let block = block(&content);
            let once = block.place(&text);
            prop_assert_eq!(block.place(&once), once);
        }
    }
}
