//! Differences of texts, as people review them.

use similar::{ChangeTag, TextDiff};

/// Most lines of one file's diff that are shown.
const SHOWN: usize = 40;

/// The changed lines with one line of context, each with its sign; empty when the texts are equal.
pub(super) fn diff(before: &str, after: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(1) {
        if !lines.is_empty() {
            lines.push("…".to_owned());
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("{sign}{}", change.value().trim_end_matches('\n')));
        }
    }
    if lines.len() > SHOWN {
        let rest = lines.len() - SHOWN;
        lines.truncate(SHOWN);
        lines.push(format!("… {rest} more lines"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::diff;

    #[test]
    fn shows_only_what_changes_and_its_neighbours() {
        assert_eq!(diff("a\nb\nc\nd\n", "a\nb\nC\nd\n"), [" b", "-c", "+C", " d"]);
        assert!(diff("same\n", "same\n").is_empty());
    }
}
