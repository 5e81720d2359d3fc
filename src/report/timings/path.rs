//! The critical path: the steps without which the run would have been over earlier.

use std::time::Duration;

use super::span::{Activity, PlaceRow, TimeSpan};

/// A wait ends within this time of what it waited for. Otherwise it was for something that no place of the run did.
const SLACK: Duration = Duration::from_secs(1);

/// A stretch on the path: the index of its row, and of its span there.
pub(super) type PathStop = (usize, usize);

/// The critical path, first to last. It is found backwards from what ended last: before each stretch comes the one before it at the
/// same place; before a wait, what ended at another place when the wait did.
pub(super) fn critical(rows: &[PlaceRow]) -> Vec<PathStop> {
    let mut path = Vec::new();
    let mut at = last(rows, |_, _| true);
    while let Some(stop) = at {
        let span = span(rows, stop);
        let released = || last(rows, |row, other| row != stop.0 && releases(other, span));
        let before = || last(rows, |row, other| row == stop.0 && other.to <= span.from);
        let next = match span.activity {
            Activity::Wait => released(),
            _ => None,
        };
        if next.is_none() {
            path.push(stop);
        }
        at = next.or_else(before).filter(|next| !path.contains(next));
    }
    path.reverse();
    path
}

/// Whether this may be what a wait was for.
fn releases(other: &TimeSpan, wait: &TimeSpan) -> bool {
    let is_near = other.to + SLACK >= wait.to && other.to <= wait.to + SLACK;
    other.activity != Activity::Wait && is_near && other.from < wait.to
}

/// The one of these spans that ended last.
fn last(rows: &[PlaceRow], wanted: impl Fn(usize, &TimeSpan) -> bool) -> Option<PathStop> {
    let all = rows.iter().enumerate().flat_map(|(row, spans)| {
        let spans = spans.spans.iter().enumerate();
        spans.map(move |(index, span)| ((row, index), span))
    });
    let wanted = all.filter(|((row, _), span)| !span.took().is_zero() && wanted(*row, span));
    wanted.max_by_key(|(_, span)| span.to).map(|(stop, _)| stop)
}

pub(super) fn span(rows: &[PlaceRow], (row, index): PathStop) -> &TimeSpan {
    &rows[row].spans[index]
}
