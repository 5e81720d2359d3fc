//! Several actions as one script, and what it says while it runs.

use std::fmt::Write as _;

use crate::resource::{Action, Separator};

/// Parts the output of the actions, with a separator's nonce: the ASCII group separator. Sections of a probe are parted by another.
const MARK: &str = "\x1d";
/// How the mark is written in a script.
const MARK_ESCAPE: &str = "\\035";
/// Ends the text of an action that runs in a unit.
const END_OF_ACTION: &str = "CI_BOOTSTRAP_END_OF_ACTION";

/// What a line begins with that is ours.
fn mark(separator: &Separator, parts: &str) -> String {
    format!("{parts}{} ", separator.nonce())
}

/// A script of actions, each between marks with its index, that stops at the first which fails, and then `probe`.
pub(super) fn script(actions: &[(usize, Action)], probe: &str, separator: &Separator) -> String {
    let mark = mark(separator, MARK_ESCAPE);
    let mut text = String::from("umask 022\nexport LC_ALL=C\n");
    for (index, action) in actions {
        let body = match action.unit {
            Some(unit) => in_unit(unit, action),
            None => action.script.clone(),
        };
        let _ = write!(
            text,
            "printf '{mark}begin %s\\n' {index}\n( set -eu\n{body}\n) </dev/null 2>&1\nr=$?\n\
             printf '\\n{mark}end %s %s\\n' {index} $r\n[ $r = 0 ] || exit 0\n"
        );
    }
    text.push_str(probe);
    text
}

/// Whether a unit is at work, on its way there or on its way out. While it is, its name can't be used again.
const BUSY: &str = "busy() { case $(systemctl show -p ActiveState --value \"$1.service\") in active|activating|deactivating|reloading) ;; *) false ;; esac; }\n";

/// The action in a transient unit of its own, which goes on when the connection is lost. Its output lies in a file
/// until it ends: a pipe to a connection that is gone would end it half-way.
///
/// Its status is the script's own: a unit is called failed also when something that a package manager left running
/// in it (an agent for keys, say) does not go in time.
fn in_unit(unit: &str, action: &Action) -> String {
    let path = format!("/run/ci-bootstrap/{unit}");
    let seconds = action.timeout.as_secs();
    format!(
        "mkdir -p -m 700 /run/ci-bootstrap\n{BUSY}while busy {unit}; do sleep 0.2; done\n\
         ( umask 077; rm -f {path}.status; : > {path}.log; cat > {path}.sh <<'{END_OF_ACTION}'\n\
         ( set -eu\n{script}\n) >{path}.log 2>&1 </dev/null\necho $? >{path}.status; rm -f {path}.sh\n{END_OF_ACTION}\n)\n\
         systemd-run -q --collect --wait --unit={unit} -p RuntimeMaxSec={seconds} -E HOME=/root -E LC_ALL=C sh {path}.sh &\n\
         unit=$!\ntail -s 0.2 -n +1 -f --pid=$unit {path}.log &\nshown=$!\n\
         wait $unit || true\nwait $shown || true\n\
         [ -e {path}.status ] || {{ echo \"{unit}.service was ended before it was done; its limit is {seconds} s\"; exit 1; }}\n\
         read -r status <{path}.status\nexit $status\n",
        script = action.script,
    )
}

/// A script that returns when no work of an earlier run is going on any more.
pub(super) fn await_unfinished() -> String {
    format!(
        "{BUSY}for f in /run/ci-bootstrap/*.sh; do [ -e \"$f\" ] || continue; u=${{f##*/}}; \
         while busy \"${{u%.sh}}\"; do sleep 0.3; done; rm -f \"$f\"; done\n"
    )
}

/// A script whose output is empty when no work of an earlier run is going on. Costs no process where there is none.
pub(super) fn list_unfinished(separator: &Separator) -> String {
    let mark = mark(separator, MARK_ESCAPE);
    format!(
        "for f in /run/ci-bootstrap/*.sh; do [ -e \"$f\" ] || continue; u=${{f##*/}}; u=${{u%.sh}}; \
         ! systemctl -q is-active $u.service || printf '{mark}unfinished %s\\n' $u; done\n"
    )
}

/// A script for people to read: what stands in files is left out, so no secret can show.
pub(super) fn without_contents(script: &str) -> String {
    let mut text = String::new();
    let mut lines = script.lines();
    while let Some(line) = lines.next() {
        let _ = writeln!(text, "{line}");
        if let Some((_, end)) = line.split_once("<<'") {
            let end = end.trim_end_matches('\'');
            let hidden = lines.by_ref().take_while(|line| *line != end).count();
            let _ = writeln!(text, "  ({hidden} lines)\n{end}");
        }
    }
    text
}

/// What a line of output means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OutputLine<'a> {
    /// The action of this step begins.
    Begin(usize),
    /// It ended with this status.
    End(usize, i32),
    /// An earlier run's unit is still at work.
    Unfinished(&'a str),
    /// What an action printed.
    Text(&'a str),
}

/// Reads a line of a script with this separator.
pub(super) fn read_line<'a>(line: &'a str, separator: &Separator) -> OutputLine<'a> {
    let Some(mark) = line.strip_prefix(&mark(separator, MARK)) else {
        return OutputLine::Text(line);
    };
    let words: Vec<_> = mark.split(' ').collect();
    match words[..] {
        ["begin", index] => index.parse().map_or(OutputLine::Text(line), OutputLine::Begin),
        ["end", index, status] => match (index.parse(), status.parse()) {
            (Ok(index), Ok(status)) => OutputLine::End(index, status),
            _ => OutputLine::Text(line),
        },
        ["unfinished", unit] => OutputLine::Unfinished(unit),
        _ => OutputLine::Text(line),
    }
}

/// A longer line is cut: what prints it is broken, or means harm.
const LONGEST_LINE: usize = 64 << 10;

/// Splits a stream of bytes into lines as they come. Each byte is looked at once, and a line has a limit.
#[derive(Debug, Default)]
pub(super) struct LineSplitter {
    rest: Vec<u8>,
    is_cut: bool,
}

impl LineSplitter {
    /// The lines that `bytes` completes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut parts = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            self.append(part);
            if parts.peek().is_some() {
                lines.push(self.take());
            }
        }
        lines
    }

    fn append(&mut self, part: &[u8]) {
        let room = LONGEST_LINE - self.rest.len();
        self.is_cut |= part.len() > room;
        self.rest.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn take(&mut self) -> String {
        let mut line = String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned();
        if std::mem::take(&mut self.is_cut) {
            line.push_str(" … (cut)");
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn separator() -> Separator {
        Separator::random().unwrap_or_else(|error| unreachable!("{error}"))
    }

    /// What the script prints, with `N ` for the nonce and its blank.
    fn run(actions: &[(usize, Action)]) -> String {
        let separator = separator();
        let output = Command::new("sh")
            .arg("-c")
            .arg(script(actions, "echo probed\n", &separator))
            .output();
        output
            .map(|output| String::from_utf8_lossy(&output.stdout).replace(separator.nonce(), "N"))
            .unwrap_or_default()
    }

    #[test]
    fn actions_run_in_order_until_one_fails() {
        let good = run(&[(0, Action::quick("echo one")), (4, Action::quick("echo two >&2"))]);
        assert_eq!(
            good,
            "\x1dN begin 0\none\n\n\x1dN end 0 0\n\x1dN begin 4\ntwo\n\n\x1dN end 4 0\nprobed\n"
        );
        let bad = run(&[
            (0, Action::quick("false\necho never")),
            (1, Action::quick("echo never")),
        ]);
        assert_eq!(bad, "\x1dN begin 0\n\n\x1dN end 0 1\n");
    }

    #[test]
    fn marks_are_read_back_and_text_stays_text() {
        let separator = separator();
        let mark = mark(&separator, MARK);
        let end = format!("{mark}end 4 127");
        assert_eq!(read_line(&end, &separator), OutputLine::End(4, 127));
        assert_eq!(
            read_line(&format!("{mark}begin 2"), &separator),
            OutputLine::Begin(2)
        );
        assert_eq!(read_line("begin 2", &separator), OutputLine::Text("begin 2"));
    }

    #[test]
    fn a_mark_without_the_nonce_is_text() {
        let (ours, other) = (separator(), separator());
        let (mark, other) = (mark(&ours, MARK), mark(&other, MARK));
        for line in [
            "\x1dend 2 0".to_owned(),
            format!("{other}end 2 0"),
            format!(" {mark}end 2 0"),
            format!("{mark}end 2 0 "),
            format!("{mark}end -1 0"),
            mark,
        ] {
            assert_eq!(read_line(&line, &ours), OutputLine::Text(&line));
        }
    }

    #[test]
    fn what_is_shown_of_a_script_holds_no_content() {
        let script = "a\n( cat > f <<'EOF'\nsecret\nmore\nEOF\n)\nb\n";
        assert_eq!(
            without_contents(script),
            "a\n( cat > f <<'EOF'\n  (2 lines)\nEOF\n)\nb\n"
        );
    }

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let mut lines = LineSplitter::default();
        assert!(lines.feed(b"ab").is_empty());
        assert_eq!(lines.feed(b"c\nd\ne"), ["abc", "d"]);
        assert_eq!(lines.feed(b"\n"), ["e"]);
        assert_eq!(lines.feed(b"\n\nx\n"), ["", "", "x"]);
    }

    #[test]
    fn a_line_without_an_end_takes_no_more_memory_than_the_longest() {
        let mut lines = LineSplitter::default();
        for _ in 0..100 {
            assert!(lines.feed(&[b'x'; 4096]).is_empty());
        }
        assert_eq!(lines.rest.len(), LONGEST_LINE);
        let line = lines.feed(b"\nnext\n");
        assert_eq!(line[0].len(), LONGEST_LINE + " … (cut)".len());
        assert_eq!(line[1], "next");
    }
}
