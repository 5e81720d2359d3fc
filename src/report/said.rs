//! Events as sentences, which the plain and the live view share.

use crate::event::{CheckResult, Event};

use super::palette::Palette;
use super::run::RunProgress;
use super::{checks, summary, words};

/// An event's place and what is said about it, if anything is at this verbosity.
pub(super) fn about<'a>(
    event: &'a Event,
    run: &RunProgress,
    palette: &Palette,
    verbosity: u8,
) -> Option<(&'a str, Vec<String>)> {
    let is_told_otherwise = run.is_plan() && is_of_the_plan(event)
        || run.is_verification() && matches!(event, Event::PlaceDone { .. })
        // Hosts have all checks in common: the table has a row for each.
        || run.is_preflight() && matches!(event, Event::Checked { result: CheckResult::Passed { .. }, .. });
    if verbosity < needed(event) || is_told_otherwise {
        return None;
    }
    let quiet = |text: String| palette.quiet.apply_to(text).to_string();
    let texts = match event {
        Event::StepStarted {
            step,
            summary,
            detail,
            ..
        } => {
            let detail = if verbosity > 0 { detail.as_slice() } else { &[] };
            let detail = detail.iter().map(|line| format!("    {}", palette.diff(line)));
            std::iter::once(format!("{step}: {summary}"))
                .chain(detail)
                .collect()
        }
        Event::Script { text, .. } => text.lines().map(|line| quiet(format!("  $ {line}"))).collect(),
        Event::Output { line, .. } => vec![quiet(format!("  | {line}"))],
        _ => vec![sentence(event, palette)],
    };
    Some((event.place()?, texts))
}

fn sentence(event: &Event, palette: &Palette) -> String {
    match event {
        Event::Connecting { .. } => "connecting".to_owned(),
        Event::Observed {
            in_sync, differing, ..
        } => format!("{in_sync} in sync, {differing} to change"),
        Event::Waiting { step, on, .. } => format!("waits for {on} (step: {step})"),
        Event::StepDone { step, took, .. } => {
            format!(
                "{step}: {} in {}",
                palette.change.apply_to("changed"),
                words::took(*took)
            )
        }
        Event::PlaceDone {
            changed, unchanged, ..
        } => palette.good.apply_to(done(*changed, *unchanged)).to_string(),
        Event::PlaceFailed { step, failure, .. } => {
            let step = step
                .as_deref()
                .map(|step| format!("{step}: "))
                .unwrap_or_default();
            let word = palette.bad.apply_to(summary::word(failure.class));
            format!("{word}: {step}{}", failure.message)
        }
        Event::Note { text, .. } => format!("note: {text}"),
        Event::CheckStarted { check, .. } => format!("{check}: checking"),
        Event::Checked {
            check, result, took, ..
        } => checks::sentence(check, result, *took, palette),
        _ => String::new(),
    }
}

/// `done: 3 changed, 12 in sync`.
fn done(changed: usize, unchanged: usize) -> String {
    match changed {
        0 => format!("done: all {unchanged} in sync"),
        _ => format!("done: {changed} changed, {unchanged} in sync"),
    }
}

/// The verbosity from which on an event is told.
fn needed(event: &Event) -> u8 {
    match event {
        Event::Script { .. } => 2,
        Event::Output { .. }
        | Event::Connecting { .. }
        | Event::Observed { .. }
        | Event::CheckStarted { .. }
        // The table at the end has one row for all places at which a check was skipped for the same reason.
        | Event::Checked {
            result: CheckResult::Skipped { .. },
            ..
        } => 1,
        _ => 0,
    }
}

/// What the plan's text tells in its own order at the end.
fn is_of_the_plan(event: &Event) -> bool {
    matches!(
        event,
        Event::StepStarted { .. }
            | Event::PlaceDone { .. }
            | Event::PlaceFailed { .. }
            | Event::Waiting { .. }
            | Event::Note { .. }
    )
}
