//! Makes events fit to be shown: secrets masked, and nothing in them that could steer a terminal.

use crate::event::{CheckResult, Event, Failure};

use super::Redact;

/// The event with every text that came from a host or a template cleaned.
pub(super) fn event(mut event: Event, redact: &Redact) -> Event {
    // Masked twice: what is not printable may belong to a secret, or stand in the midst of one.
    let clean = |text: &mut String| *text = redact(&printable(&redact(text)));
    match &mut event {
        Event::Waiting { on, .. } => clean(on),
        Event::StepStarted { summary, detail, .. } => {
            clean(summary);
            detail.iter_mut().for_each(clean);
        }
        Event::Output { line, .. } => clean(line),
        Event::PlaceFailed { failure, .. }
        | Event::Checked {
            result: CheckResult::Failed { failure },
            ..
        } => {
            let Failure {
                message,
                output,
                help,
                ..
            } = failure;
            clean(message);
            output.iter_mut().for_each(clean);
            help.iter_mut().for_each(clean);
        }
        Event::Checked {
            result: CheckResult::Passed { detail: text } | CheckResult::Skipped { reason: text },
            ..
        }
        | Event::Script { text, .. }
        | Event::Note { text, .. } => clean(text),
        _ => {}
    }
    event
}

/// Without escape sequences and control characters: what a host prints must not move our cursor. Of a line that redraws
/// itself (`\r`), as of apt and curl, only the last state is kept.
pub fn printable(text: &str) -> String {
    let plain = console::strip_ansi_codes(text);
    let lines: Vec<String> = plain
        .split('\n')
        .map(|line| {
            line.trim_end_matches('\r')
                .rsplit('\r')
                .next()
                .unwrap_or_default()
        })
        .map(|line| {
            line.replace('\t', "    ")
                .chars()
                .filter(|c| !c.is_control() && !turns_text(*c))
                .collect()
        })
        .collect();
    lines.join("\n")
}

/// Whether a character makes those after it appear in another order: a text would read differently from what it says.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{event, printable};
    use crate::event::Event;
    use crate::report::Redact;

    #[test]
    fn a_host_cannot_steer_the_terminal() {
        assert_eq!(printable("\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}x"), "red x");
        assert_eq!(printable("10%\r50%\r100% done\r\nnext\u{8}"), "100% done\nnext");
        assert_eq!(printable("a\tb"), "a    b");
        assert_eq!(
            printable("w1 \u{9b}2J\u{202e}kcal\u{2066}\u{61c}b\u{0}"),
            "w1 kcalb"
        );
    }

    #[test]
    fn secrets_are_masked_wherever_an_event_has_text() {
        let redact: Redact = Arc::new(|text: &str| text.replace("hunter2", "***"));
        let started = Event::StepStarted {
            place: "m".into(),
            step: "s".into(),
            summary: "set hun\u{1b}[1mter2\u{0}".into(),
            detail: vec!["+hunter2".into()],
        };
        let shown = format!("{:?}", event(started, &redact));
        assert!(
            !shown.contains("hunter2") && shown.contains("set ***") && shown.contains("+***"),
            "{shown}"
        );
    }
}
