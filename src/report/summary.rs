//! The end of a run: what each place came to, every failure in full, and what to do next.

use std::time::Duration;

use crate::event::{Class, Failure};

use super::palette::Palette;
use super::run::{RunProgress, TrackProgress, TrackState};
use super::{checks, plan_text, words};

/// Most names in a list of places about which there is nothing more to say.
const NAMED: usize = 10;

/// What a failure of this class is called.
pub(super) fn word(class: Class) -> &'static str {
    match class {
        Class::Blocked => "BLOCKED",
        Class::VerificationFailed => "DOESN'T WORK",
        Class::Unreachable => "UNREACHABLE",
        Class::StepFailed => "FAILED",
        Class::Locked => "LOCKED",
        Class::Interrupted => "INTERRUPTED",
        Class::Bug => "BUG",
    }
}

/// The summary; nothing for a run that never began.
pub(super) fn lines(run: &RunProgress, palette: &Palette, elapsed: Duration) -> Vec<String> {
    if !run.has_begun() {
        return Vec::new();
    }
    let mut lines = vec![String::new()];
    if run.is_plan() {
        lines.extend(plan_text::lines(run, palette));
    } else if run.is_verification() {
        lines.extend(checks::table(run, palette));
    } else {
        lines.extend(results(run, palette));
    }
    lines.extend(failures(run, palette));
    lines.push(closing(run, palette, run.took.unwrap_or(elapsed)));
    lines.extend(next(run));
    lines.extend(timings(run));
    lines.extend(debug_log(run));
    lines
}

/// Places by what they came to, one line for each kind of end.
fn results(run: &RunProgress, palette: &Palette) -> Vec<String> {
    let mut ends: [(&str, Vec<String>); 6] =
        ["in sync", "changed", "failed", "blocked", "stopped", "not done"].map(|word| (word, Vec::new()));
    for track in &run.tracks {
        let (end, text) = end(track);
        ends[end].1.push(text);
    }
    let styles = [
        &palette.quiet,
        &palette.change,
        &palette.bad,
        &palette.bad,
        &palette.bad,
        &palette.bad,
    ];
    ends.into_iter()
        .zip(styles)
        .filter(|((_, places), _)| !places.is_empty())
        .map(|((word, places), style)| {
            let count = format!("{word:<8} {:>3}", places.len());
            format!("{}  {}", style.apply_to(count), words::list(&places, NAMED))
        })
        .chain([String::new()])
        .collect()
}

/// Which end a track came to, and how its place is listed there.
fn end(track: &TrackProgress) -> (usize, String) {
    let with_changes = |number| format!("{} ({number})", track.place);
    match &track.state {
        TrackState::Done { changed: 0, .. } => (0, track.place.clone()),
        TrackState::Done { changed, .. } => (1, with_changes(*changed)),
        TrackState::Failed { failure, .. } => {
            let listed = if track.made() > 0 {
                with_changes(track.made())
            } else {
                track.place.clone()
            };
            let end = match failure.class {
                Class::Blocked => 3,
                Class::Interrupted => 4,
                _ => 2,
            };
            (end, listed)
        }
        _ => (5, track.place.clone()),
    }
}

/// Every failure in full, what happened in the same way at several places once. What was only blocked comes last.
fn failures(run: &RunProgress, palette: &Palette) -> Vec<String> {
    let mut groups: Vec<(Vec<String>, Option<&str>, &Failure)> = Vec::new();
    for (track, step, failure) in run.failures() {
        let same = groups.iter_mut().find(|(_, other_step, other)| {
            *other_step == step
                && (&other.class, &other.message, &other.help)
                    == (&failure.class, &failure.message, &failure.help)
        });
        match same {
            Some((places, ..)) => places.push(track.place.clone()),
            None => groups.push((vec![track.place.clone()], step, failure)),
        }
    }
    groups.sort_by_key(|(_, _, failure)| failure.class == Class::Blocked);
    let kind = if run.is_verification() { "check" } else { "step" };
    groups
        .iter()
        .flat_map(|(places, step, failure)| described(places, kind, *step, failure, palette))
        .collect()
}

fn described(
    places: &[String],
    kind: &str,
    step: Option<&str>,
    failure: &Failure,
    palette: &Palette,
) -> Vec<String> {
    let head = format!("{} {}", word(failure.class), places.join(", "));
    let mut lines = vec![format!("{}: {}", palette.bad.apply_to(head), failure.message)];
    match (step, &failure.origin) {
        (Some(step), Some(origin)) => lines.push(format!("  step: {step} ({origin})")),
        (Some(step), None) => lines.push(format!("  {kind}: {step}")),
        (None, Some(origin)) => lines.push(format!("  from: {origin}")),
        (None, None) => {}
    }
    if let ([first, _, ..], false) = (places, failure.output.is_empty()) {
        lines.push(format!("  on {first} it printed:"));
    }
    lines.extend(
        failure
            .output
            .iter()
            .map(|line| palette.quiet.apply_to(format!("  | {line}")).to_string()),
    );
    if let Some(help) = &failure.help {
        let help = help.replace('\n', "\n        ");
        lines.push(format!("  {} {help}", palette.strong.apply_to("help:")));
    }
    lines.push(String::new());
    lines
}

/// The last word.
fn closing(run: &RunProgress, palette: &Palette, took: Duration) -> String {
    let has_failed = run.failures().next().is_some();
    let time = words::took(took);
    if !run.is_finished() && !has_failed {
        let text = format!("{} ended early, after {time}", run.title());
        return palette.bad.apply_to(text).to_string();
    }
    if run.is_plan() {
        return plan_text::closing(run, palette);
    }
    if run.is_verification() {
        return checks::closing(run, palette, took);
    }
    let counts = run.counts();
    let changes = words::count(run.changes(), "change");
    if !has_failed {
        let places = words::places(run.tracks.iter().map(|track| track.place.as_str()));
        let made = if run.changes() == 0 {
            "nothing to change"
        } else {
            &changes
        };
        let text = format!("{} done: {made} on {places} in {time}", run.title());
        return palette.good.apply_to(text).to_string();
    }
    let mut parts = vec![format!("{} of {} done", counts.done, run.tracks.len())];
    parts.extend((counts.failed > 0).then(|| format!("{} failed", counts.failed)));
    parts.extend((counts.blocked > 0).then(|| format!("{} blocked", counts.blocked)));
    parts.extend((counts.stopped > 0).then(|| format!("{} stopped", counts.stopped)));
    let end = if counts.stopped > 0 { "stopped" } else { "failed" };
    let text = format!("{} {end}: {}, {changes} in {time}", run.title(), parts.join(", "));
    palette.bad.apply_to(text).to_string()
}

/// What to do about an apply that isn't complete.
fn next(run: &RunProgress) -> Option<String> {
    let is_complete = run.is_finished() && run.failures().next().is_none();
    (!run.is_plan() && !run.is_verification() && !is_complete)
        .then(|| "What is done stays done: run it again to continue.".to_owned())
}

/// Where the page of the run's times is, when it was asked for.
fn timings(run: &RunProgress) -> Option<String> {
    Some(match run.timings.as_ref()? {
        Ok(path) => format!("Timings: {}", path.display()),
        Err(error) => format!("The page of timings could not be written: {error}"),
    })
}

/// Where to read on, for those who have a reason to.
fn debug_log(run: &RunProgress) -> Option<String> {
    let has_failed = run.failures().next().is_some() || !run.is_finished();
    match (&run.log, &run.log_error) {
        (Some(path), _) if has_failed => Some(format!("Debug log: {}", path.display())),
        (_, Some(error)) => Some(format!("There is no debug log: {error}")),
        _ => None,
    }
}
