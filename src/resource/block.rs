//! Marked lines of ours inside a file of somebody else.

use serde::Deserialize;

use super::text_diff::diff;
use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Topic, Unreadable, sh, site_file};

const BEGIN: &str = "# BEGIN ci-bootstrap";
/// Begins a block before which we have ended the file's last line, so that it can be taken back.
const BEGIN_AFTER_OPEN_LINE: &str = "# BEGIN ci-bootstrap (the line before had no end)";
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

/// Sets `begin` to the mark at which our block begins, `from` to the bytes before it, and `to` to those up to the block's end. A mark
/// without its end was cut off by hand: what follows it is not known to be ours, so `to` is empty.
///
/// By grep, head and tail, which count bytes and take any.
const FIND: &str = r#"find_block() {
  begin= from= to=
  while IFS=: read -r at mark; do
    case $mark in
      "@BEGIN@"*) begin=$mark from=$at ;;
      "@END@") [ -z "$from" ] || { to=$((at + ${#mark} + 1)); break; } ;;
    esac
  done <<MARKS
$(LC_ALL=C grep -abxF -e "@BEGIN@" -e "@OPEN@" -e "@END@" -- "$1" || true)
MARKS
}
"#;

/// Prints the file with our block in place: where it stands, or at the end.
const PLACE: &str = r#"find_block "$old"
size=$(wc -c <"$old")
if [ -z "$begin" ]; then
  begin="@BEGIN@" from=$size to=$size
  [ "$size" = 0 ] || [ "$(tail -c 1 -- "$old" | wc -l)" = 1 ] || begin="@OPEN@"
fi
[ -n "$to" ] || to=$((from + ${#begin} + 1))
head -c "$from" -- "$old"
if [ "$begin" = "@OPEN@" ] && [ "$from" = "$size" ]; then echo; fi
printf '%s\n' "$begin"
@CONTENT@printf '%s\n' "@END@"
tail -c +$((to + 1)) -- "$old"
"#;

/// Prints the file without our block. The line before it is opened again where nothing has been added since.
const CUT: &str = r#"if [ "$begin" = "@OPEN@" ] && [ "$to" -ge "$(wc -c <"$old")" ]; then from=$((from - 1)); fi
head -c "$from" -- "$old"
tail -c +$((to + 1)) -- "$old"
"#;

/// A script with the marks put in.
fn marked(script: &str) -> String {
    script
        .replace("@BEGIN@", BEGIN)
        .replace("@OPEN@", BEGIN_AFTER_OPEN_LINE)
        .replace("@END@", END)
}

impl Block {
    fn key(&self) -> String {
        format!("block {}", self.path)
    }

    /// The lines as they stand in the file.
    fn lines(&self) -> String {
        format!("{}\n", self.content.trim_end_matches('\n'))
    }

    /// The lines between the marks on the host.
    fn present<'a>(&self, seen: &'a HostState) -> &'a str {
        let section = seen.section(&self.key());
        let (_, lines) = section.split_once('\n').unwrap_or_default();
        let end = lines.strip_suffix('\n').unwrap_or(lines);
        end.strip_suffix(END).unwrap_or(lines)
    }
}

impl Resource for Block {
    fn probe(&self, ask: &mut Probe) {
        let path = sh::quote(&self.path);
        // One of another length is another one: more of it is not needed.
        let shown = self.content.len() + 4096;
        let script = format!(
            "{}[ ! -f {path} ] || {{ find_block {path}\n\
             [ -z \"$to\" ] || tail -c +$((from + 1)) -- {path} | head -c $((to - from)) | head -c {shown}; }}",
            marked(FIND)
        );
        ask.script(&self.key(), &script);
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        Ok(Comparison::from_lines(
            format!("change our block in {}", self.path),
            diff(self.present(seen), &self.lines()),
        ))
    }

    fn action(&self, _seen: &HostState, _known: &ActionInput) -> Action {
        let place = marked(PLACE).replace("@CONTENT@", &sh::print(&self.lines()));
        Action::quick(format!("{}{}", marked(FIND), site_file::edit(&self.path, &place)))
    }

    fn undo(&self) -> Option<String> {
        let path = sh::quote(&self.path);
        Some(format!(
            "{}if [ -f {path} ]; then find_block {path}\nif [ -n \"$to\" ]; then\n{}fi; fi\n",
            marked(FIND),
            site_file::edit(&self.path, &marked(CUT))
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
    use super::super::site_file::tests::{Site, any_bytes, converge, run};
    use super::*;
    use proptest::prelude::*;

    fn block(site: &Site, content: &str) -> Block {
        Block {
            path: site.path(),
            content: content.into(),
        }
    }

    fn undo(block: &Block) -> (bool, String) {
        run(&block.undo().unwrap_or_default())
    }

    fn placed(before: &str, content: &str) -> String {
        let site = Site::with(before.as_bytes(), false);
        converge(&block(&site, content));
        String::from_utf8_lossy(&site.content()).into_owned()
    }

    #[test]
    fn keeps_what_stands_around_it() {
        let text = "127.0.0.1 localhost\n# BEGIN ci-bootstrap\nold\n# END ci-bootstrap\nlast\n";
        let expected = "127.0.0.1 localhost\n# BEGIN ci-bootstrap\nnew\n# END ci-bootstrap\nlast\n";
        assert_eq!(placed(text, "new"), expected);
        assert_eq!(
            placed("", "new"),
            "# BEGIN ci-bootstrap\nnew\n# END ci-bootstrap\n"
        );
    }

    #[test]
    fn a_block_whose_end_is_missing_loses_no_line() {
        let cut = "a\n# BEGIN ci-bootstrap\nb\n";
        assert_eq!(
            placed(cut, "new"),
            "a\n# BEGIN ci-bootstrap\nnew\n# END ci-bootstrap\nb\n"
        );
        let site = Site::with(cut.as_bytes(), false);
        assert_eq!(undo(&block(&site, "new")), (true, String::new()));
        assert_eq!(site.content(), cut.as_bytes());
    }

    #[test]
    fn a_line_that_was_added_after_the_block_stays_a_line() {
        let site = Site::with(b"theirs", false);
        let ours = block(&site, "ours");
        converge(&ours);
        let mut text = site.content();
        text.extend_from_slice(b"later");
        assert!(fs_err::write(site.path(), &text).is_ok());
        converge(&block(&site, "other"));
        assert_eq!(undo(&ours), (true, String::new()));
        assert_eq!(site.content(), b"theirs\nlater");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn a_file_of_any_bytes_comes_back_as_it_was(before in any_bytes(), linked: bool, content in "[a-z0-9. ]{1,9}") {
            let site = Site::with(&before, linked);
            converge(&block(&site, &content));
            prop_assert!(site.content().len() > before.len() && site.is_whole(linked));
            converge(&block(&site, "other"));
            prop_assert_eq!(undo(&block(&site, &content)), (true, String::new()));
            prop_assert_eq!(site.content(), before);
            prop_assert!(site.is_whole(linked));
        }
    }
}
