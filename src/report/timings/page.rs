//! The page: one HTML file that needs nothing else, no script among it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::Section;
use super::path::{self, PathStop};
use super::span::{Activity, PlaceRow, TimeSpan};
use crate::report::run::RunProgress;
use crate::report::words;

const STYLE: &str = include_str!("page.css");
/// How many of the slowest steps are listed.
const SLOWEST: usize = 10;
/// What took less of the whole than one part of this many is not listed by itself.
const SHOWN: u32 = 100;
/// Marks on the time axis, at least half as many.
const TICKS: u64 = 10;
/// Lengths between two marks, in seconds.
const INTERVALS: [u64; 11] = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800];

/// What a run came to, in a few words.
pub(super) fn outcome(run: &RunProgress) -> String {
    let failures = run.failures().count();
    match (failures, run.is_verification()) {
        (0, true) => "every check passed".to_owned(),
        (0, false) => words::count(run.changes(), "change"),
        (_, true) => words::count(failures, "failed check"),
        (_, false) => format!(
            "{}, {}",
            words::count(run.changes(), "change"),
            words::count(failures, "failure")
        ),
    }
}

pub(super) fn html(sections: &[Section]) -> String {
    let title = sections.first().map_or("", |section| section.title.as_str());
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Timings: {}</title>\n<style>\n{STYLE}</style></head><body>\n",
        escaped(title)
    );
    for section in sections {
        html.push_str(&section_html(section));
    }
    html.push_str("</body></html>\n");
    html
}

fn section_html(section: &Section) -> String {
    let rows = &section.rows;
    let spans = || rows.iter().flat_map(|row| &row.spans);
    let total = spans().map(|span| span.to).max().unwrap_or_default();
    let path = path::critical(rows);
    let mut html = format!(
        "<h1>{}</h1>\n<p>{} in {}, ended {}.</p>\n",
        escaped(&section.title),
        escaped(&section.outcome),
        words::took(total),
        section.ended.strftime("%Y-%m-%d %H:%M:%S UTC")
    );
    html.push_str(LEGEND);
    html.push_str(&chart(rows, &path, total));
    html.push_str(&failures(rows));
    html.push_str(&critical_path(rows, &path, total));
    html.push_str(&slowest(rows));
    html
}

const LEGEND: &str = "<p class=\"legend\"><i class=\"connect\"></i> connect <i class=\"look\"></i> look again <i class=\"change\"></i> change \
<i class=\"check\"></i> check <i class=\"wait\"></i> wait <i class=\"failed\"></i> failed <i class=\"change critical\"></i> critical path</p>\n";

/// Places as rows, their time as bars.
fn chart(rows: &[PlaceRow], path: &[PathStop], total: Duration) -> String {
    let mut html = "<div class=\"chart\">\n".to_owned();
    for (row, PlaceRow { place, spans, .. }) in rows.iter().enumerate() {
        // Writing to a String can't fail.
        let _ = write!(
            html,
            "<div class=\"place\">{}</div><div class=\"bars\">",
            escaped(place)
        );
        for (index, span) in spans.iter().enumerate() {
            html.push_str(&bar(span, path.contains(&(row, index)), total));
        }
        html.push_str("</div>\n");
    }
    html.push_str("<div></div><div class=\"axis\">");
    let interval = INTERVALS
        .iter()
        .find(|interval| total.as_secs() / **interval <= TICKS);
    let interval = *interval.unwrap_or(&3600);
    for seconds in (0..=total.as_secs()).step_by(usize::try_from(interval).unwrap_or(1)) {
        let mark = Duration::from_secs(seconds);
        let _ = write!(
            html,
            "<span style=\"left:{:.2}%\">{}</span>",
            percent(mark, total),
            words::clock(mark)
        );
    }
    html.push_str("</div>\n</div>\n");
    html
}

fn bar(span: &TimeSpan, critical: bool, total: Duration) -> String {
    let class = match (span.failed, span.activity) {
        (true, _) => "failed",
        (_, Activity::Connect) => "connect",
        (_, Activity::Look) => "look",
        (_, Activity::Change) => "change",
        (_, Activity::Check) => "check",
        (_, Activity::Wait) => "wait",
    };
    format!(
        "<b class=\"{class}{}\" style=\"left:{:.3}%;width:{:.3}%\" title=\"{}: {}\"></b>",
        if critical { " critical" } else { "" },
        percent(span.from, total),
        percent(span.took(), total),
        words::took(span.took()),
        escaped(&sentence(span))
    )
}

/// What a stretch of time was for.
fn sentence(span: &TimeSpan) -> String {
    match span.activity {
        Activity::Wait => format!("{} waits for {}", span.name, span.detail),
        _ => format!("{}: {}", span.name, span.detail),
    }
}

fn failures(rows: &[PlaceRow]) -> String {
    let failed: String = rows
        .iter()
        .filter_map(|row| row.failure.as_ref().map(|failure| (&row.place, failure)))
        .map(|(place, failure)| format!("<li><b>{}</b>: {}</li>\n", escaped(place), escaped(failure)))
        .collect();
    if failed.is_empty() {
        return failed;
    }
    format!("<h2>Failures</h2>\n<ul>\n{failed}</ul>\n")
}

fn critical_path(rows: &[PlaceRow], path: &[PathStop], total: Duration) -> String {
    let (shown, short): (Vec<PathStop>, Vec<PathStop>) = path
        .iter()
        .copied()
        .partition(|stop| path::span(rows, *stop).took() >= total / SHOWN);
    let on_it: Duration = path.iter().map(|stop| path::span(rows, *stop).took()).sum();
    let mut html = format!(
        "<h2>Critical path: {}</h2>\n<p>Had one of these been shorter, the run would have ended earlier. \
         The path follows a wait to the step that ended when the wait did.</p>\n\
         <table><tr><th>place</th><th>step</th><th>from</th><th>took</th></tr>\n",
        words::took(on_it)
    );
    for stop in shown {
        let span = path::span(rows, stop);
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&rows[stop.0].place),
            escaped(&sentence(span)),
            words::clock(span.from),
            words::took(span.took())
        );
    }
    if !short.is_empty() {
        let took: Duration = short.iter().map(|stop| path::span(rows, *stop).took()).sum();
        let (count, took) = (short.len(), words::took(took));
        let _ = writeln!(
            html,
            "<tr><td></td><td>and {count} shorter ones</td><td></td><td>{took}</td></tr>"
        );
    }
    html.push_str("</table>\n");
    html
}

/// The steps that took longest at one place, each with the places that it was done at.
fn slowest(rows: &[PlaceRow]) -> String {
    let mut steps: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    let spans = rows.iter().flat_map(|row| &row.spans);
    for span in spans.filter(|span| matches!(span.activity, Activity::Change | Activity::Check)) {
        steps.entry(&span.name).or_default().push(span.took());
    }
    let mut steps: Vec<_> = steps.into_iter().collect();
    steps.sort_by_key(|(_, times)| std::cmp::Reverse(times.iter().max().copied()));
    let mut html =
        "<h2>Slowest steps</h2>\n<table><tr><th>step</th><th>times done</th><th>longest</th><th>all together</th></tr>\n".to_owned();
    for (step, times) in steps.iter().take(SLOWEST) {
        let longest = times.iter().max().copied().unwrap_or_default();
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(step),
            times.len(),
            words::took(longest),
            words::took(times.iter().sum())
        );
    }
    html.push_str("</table>\n");
    html
}

fn percent(part: Duration, total: Duration) -> f64 {
    if total.is_zero() {
        return 0.0;
    }
    part.as_secs_f64() / total.as_secs_f64() * 100.0
}

/// A text that stays a text between tags and in an attribute. Summaries and failures quote what hosts printed.
fn escaped(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut escaped, c| {
            match c {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                c => escaped.push(c),
            }
            escaped
        })
}
