//! What `plan` prints: every wanted change with its difference, in the plan's order.

use super::palette::Palette;
use super::run::{RunProgress, TrackProgress, TrackState};
use super::words;

/// Most names of places in sync.
const NAMED: usize = 10;

/// The plan's text without its last line.
pub(super) fn lines(run: &RunProgress, palette: &Palette) -> Vec<String> {
    let mut lines: Vec<String> = run
        .tracks
        .iter()
        .filter(|track| !track.changes.is_empty() || !track.notes.is_empty())
        .flat_map(|track| wanted(track, palette))
        .collect();
    let in_sync: Vec<String> = run
        .tracks
        .iter()
        .filter(|track| is_in_sync(track))
        .map(|t| t.place.clone())
        .collect();
    if !in_sync.is_empty() {
        let text = format!("in sync: {}", words::list(&in_sync, NAMED));
        lines.extend([palette.quiet.apply_to(text).to_string(), String::new()]);
    }
    lines
}

fn is_in_sync(track: &TrackProgress) -> bool {
    track.changes.is_empty() && matches!(track.state, TrackState::Done { .. })
}

/// A place and what would be done there.
fn wanted(track: &TrackProgress, palette: &Palette) -> Vec<String> {
    let number = match track.changes.len() {
        0 => String::new(),
        number => format!(" ({})", words::count(number, "change")),
    };
    let mut lines = vec![format!("{}{number}", palette.strong.apply_to(&track.place))];
    lines.extend(track.notes.iter().map(|note| format!("  note: {note}")));
    for change in &track.changes {
        lines.push(format!(
            "  {} {}: {}",
            palette.change.apply_to("~"),
            change.step,
            change.summary
        ));
        lines.extend(
            change
                .detail
                .iter()
                .map(|line| format!("      {}", palette.diff(line))),
        );
    }
    lines.push(String::new());
    lines
}

/// The plan in one line.
pub(super) fn closing(run: &RunProgress, palette: &Palette) -> String {
    let changing = run
        .tracks
        .iter()
        .filter(|track| !track.changes.is_empty())
        .map(|track| track.place.as_str());
    let unseen: Vec<String> = run.failures().map(|(track, _, _)| track.place.clone()).collect();
    let is_whole = unseen.is_empty();
    let missing = if is_whole {
        String::new()
    } else {
        format!("; incomplete for {}", words::list(&unseen, NAMED))
    };
    match run.changes() {
        0 if is_whole => palette.good.apply_to("No changes.").to_string(),
        0 => format!("No changes{missing}."),
        number => {
            let text = format!(
                "Plan: {} on {}",
                words::count(number, "change"),
                words::places(changing)
            );
            format!("{}{missing}.", palette.strong.apply_to(text))
        }
    }
}
