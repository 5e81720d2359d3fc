//! The verification as it is shown: a sentence for each check, a table, the last word.

use std::time::Duration;

use crate::event::CheckResult;

use super::palette::Palette;
use super::run::{CheckProgress, RunProgress};
use super::words;

/// Most names of places in a row.
const NAMED: usize = 4;

/// What is said when a check is at its end.
pub(super) fn sentence(check: &str, result: &CheckResult, took: Duration, palette: &Palette) -> String {
    let took = words::took(took);
    match result {
        CheckResult::Passed { detail } => {
            format!("{check}: {} in {took}: {detail}", palette.good.apply_to("passed"))
        }
        CheckResult::Failed { failure } => {
            format!(
                "{check}: {} in {took}: {}",
                palette.bad.apply_to("FAILED"),
                failure.message
            )
        }
        CheckResult::Skipped { reason } => {
            format!("{check}: {}: {reason}", palette.quiet.apply_to("skipped"))
        }
    }
}

/// A row of the table: a check that came to the same result at several places.
struct CheckRow<'a> {
    check: &'a str,
    result: &'a CheckResult,
    places: Vec<String>,
    /// The longest.
    took: Duration,
}

impl CheckRow<'_> {
    /// Whether this is reported in the same row. What was seen may differ from place to place.
    fn takes(&self, checked: &CheckProgress) -> bool {
        let same = match (self.result, &checked.result) {
            (CheckResult::Passed { .. }, CheckResult::Passed { .. }) => true,
            (one, other) => one == other,
        };
        self.check == checked.check && same
    }

    fn cells(&self) -> [String; 5] {
        let (result, detail) = match self.result {
            CheckResult::Passed { detail } => ("passed", detail.clone()),
            CheckResult::Failed { .. } => ("FAILED", "see below".to_owned()),
            CheckResult::Skipped { reason } => ("skipped", reason.clone()),
        };
        let places = words::list(&self.places, NAMED);
        [
            self.check.to_owned(),
            places,
            result.to_owned(),
            words::took(self.took),
            detail,
        ]
    }
}

/// All checks in the order in which they ended, those alike in one row.
pub(super) fn table(run: &RunProgress, palette: &Palette) -> Vec<String> {
    let mut rows: Vec<CheckRow<'_>> = Vec::new();
    for track in &run.tracks {
        for checked in &track.checks {
            match rows.iter_mut().find(|row| row.takes(checked)) {
                Some(row) => {
                    row.places.push(track.place.clone());
                    row.took = row.took.max(checked.took);
                }
                None => rows.push(CheckRow {
                    check: &checked.check,
                    result: &checked.result,
                    places: vec![track.place.clone()],
                    took: checked.took,
                }),
            }
        }
    }
    let heading = ["CHECK", "PLACE", "RESULT", "TIME", ""].map(str::to_owned);
    let cells: Vec<_> = std::iter::once(heading)
        .chain(rows.iter().map(CheckRow::cells))
        .collect();
    let width = |column: usize| {
        cells
            .iter()
            .map(|row| console::measure_text_width(&row[column]))
            .max()
    };
    let widths: Vec<usize> = (0..4).map(|column| width(column).unwrap_or(0)).collect();
    let mut lines: Vec<_> = cells.iter().map(|cells| line(cells, &widths, palette)).collect();
    lines.push(String::new());
    lines
}

fn line(cells: &[String; 5], widths: &[usize], palette: &Palette) -> String {
    let columns = cells.iter().zip(widths).map(|(cell, width)| {
        let padded = console::pad_str(cell, *width, console::Alignment::Left, None);
        match cell.as_str() {
            "passed" => palette.good.apply_to(padded).to_string(),
            "FAILED" => palette.bad.apply_to(padded).to_string(),
            _ => padded.into_owned(),
        }
    });
    let line = columns.chain([cells[4].clone()]).collect::<Vec<_>>().join("  ");
    line.trim_end().to_owned()
}

/// `verify ci passed: 7 checks in 4.1s`.
pub(super) fn closing(run: &RunProgress, palette: &Palette, took: Duration) -> String {
    let results = || {
        run.tracks
            .iter()
            .flat_map(|track| &track.checks)
            .map(|checked| &checked.result)
    };
    let all = results().count();
    let failed = results()
        .filter(|result| matches!(result, CheckResult::Failed { .. }))
        .count();
    let skipped = results()
        .filter(|result| matches!(result, CheckResult::Skipped { .. }))
        .count();
    let skipped = match skipped {
        0 => String::new(),
        number => format!(", {number} skipped"),
    };
    let time = words::took(took);
    if failed == 0 {
        let text = format!(
            "{} passed: {}{skipped} in {time}",
            run.title(),
            words::count(all, "check")
        );
        return palette.good.apply_to(text).to_string();
    }
    let text = format!(
        "{} failed: {failed} of {}{skipped} in {time}",
        run.title(),
        words::count(all, "check")
    );
    palette.bad.apply_to(text).to_string()
}
