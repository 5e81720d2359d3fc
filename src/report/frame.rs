//! The live part of the terminal: one line about the run, and below it those places that have something to tell now.

use std::time::Duration;

use super::palette::Palette;
use super::run::{RunProgress, TrackProgress, TrackState};
use super::{summary, words};

/// Most lines about places, on a terminal of any height.
const MOST: usize = 12;
/// Most of these about failures, which have scrolled by already.
const MOST_FAILED: usize = 3;
/// Widest column of names.
const WIDEST_NAME: usize = 24;
/// Spinner frames in ASCII, which every terminal has.
const WHEEL: [char; 4] = ['|', '/', '-', '\\'];

/// The frame for a moment, on a terminal of this size; no line is wider than that.
pub(super) fn lines(
    run: &RunProgress,
    now: Duration,
    (rows, columns): (u16, u16),
    palette: &Palette,
) -> Vec<String> {
    let room = usize::from(rows.saturating_sub(4)).clamp(1, MOST);
    let width = usize::from(columns.max(20)) - 1;
    let shown = visible_tracks(run, room);
    let name_width = shown
        .iter()
        .map(|track| console::measure_text_width(&track.place))
        .max();
    let name_width = name_width.unwrap_or(0).min(WIDEST_NAME);
    let hidden = busy(run).len().saturating_sub(shown.len());
    let mut lines = vec![fit(&header(run, now, palette), width)];
    lines.extend(
        shown
            .into_iter()
            .map(|track| line(track, now, name_width, width, palette)),
    );
    if hidden > 0 {
        lines.push(fit(&format!("  … and {hidden} more"), width));
    }
    lines
}

/// `| 00:12 apply ci: 97/100 done, 3 working, 812/900 steps, 41 changes`.
fn header(run: &RunProgress, now: Duration, palette: &Palette) -> String {
    let counts = run.counts();
    let wheel = WHEEL[usize::try_from(now.as_millis() / 100 % 4).unwrap_or_default()];
    let mut parts = vec![format!("{}/{} done", counts.done, run.tracks.len())];
    for (number, word) in [(counts.working, "working"), (counts.waiting, "waiting")] {
        parts.extend((number > 0).then(|| format!("{number} {word}")));
    }
    for (number, word) in [
        (counts.failed, "failed"),
        (counts.blocked, "blocked"),
        (counts.stopped, "stopped"),
    ] {
        parts.extend((number > 0).then(|| palette.bad.apply_to(format!("{number} {word}")).to_string()));
    }
    let (steps, all) = run.steps();
    parts.extend((!run.is_verification()).then(|| format!("{steps}/{all} steps")));
    parts.extend((run.changes() > 0).then(|| words::count(run.changes(), "change")));
    let title = palette.strong.apply_to(run.title());
    format!("{wheel} {} {title}: {}", words::clock(now), parts.join(", "))
}

/// The places to tell about: some failures, then work by its age, then those that wait.
fn visible_tracks(run: &RunProgress, room: usize) -> Vec<&TrackProgress> {
    let mut shown = busy(run);
    // One line is for the number of those that don't fit.
    let room = if shown.len() > room {
        room.saturating_sub(1).max(1)
    } else {
        room
    };
    let is_failed = |track: &&TrackProgress| matches!(track.state, TrackState::Failed { .. });
    let failed = shown.iter().filter(|track| is_failed(track)).count();
    if shown.len() > room {
        let others = shown.len() - failed;
        let kept = failed.min(MOST_FAILED.max(room.saturating_sub(others))).min(room);
        shown.drain(kept..failed);
    }
    shown.truncate(room);
    shown
}

/// All places that aren't done, in the order of `visible_tracks`.
fn busy(run: &RunProgress) -> Vec<&TrackProgress> {
    let rank = |track: &TrackProgress| match track.state {
        TrackState::Failed { .. } => Some(0),
        TrackState::Connecting | TrackState::Checking | TrackState::Working { .. } => Some(1),
        TrackState::Waiting { .. } => Some(2),
        TrackState::Pending | TrackState::Done { .. } => None,
    };
    let mut tracks: Vec<_> = run
        .tracks
        .iter()
        .filter_map(|track| Some((rank(track)?, track)))
        .collect();
    tracks.sort_by_key(|(rank, track)| (*rank, track.since));
    tracks.into_iter().map(|(_, track)| track).collect()
}

/// A place's line: its name, what it does, and for how long.
fn line(track: &TrackProgress, now: Duration, name_width: usize, width: usize, palette: &Palette) -> String {
    let name = console::truncate_str(&track.place, name_width, "…");
    let name = console::pad_str(&name, name_width, console::Alignment::Left, None);
    if let TrackState::Failed { step, failure } = &track.state {
        let step = step
            .as_deref()
            .map(|step| format!("{step}: "))
            .unwrap_or_default();
        let text = format!("{}: {step}{}", summary::word(failure.class), failure.message);
        return fit(&format!("  {name}  {}", palette.bad.apply_to(text)), width);
    }
    let age = now.saturating_sub(track.since).as_secs();
    let age = if age < 60 {
        format!("{age}s")
    } else {
        words::clock(Duration::from_secs(age))
    };
    // The age matters more than the end of a long sentence.
    let room = width.saturating_sub(name_width + age.len() + 6);
    format!(
        "  {name}  {}  {}",
        fit(&track.doing().unwrap_or_default(), room),
        palette.quiet.apply_to(age)
    )
}

fn fit(text: &str, width: usize) -> String {
    let first = text.lines().next().unwrap_or_default();
    console::truncate_str(first, width, "…").into_owned()
}
