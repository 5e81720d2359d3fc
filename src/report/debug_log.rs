//! Everything about a run, scripts and outputs included, in a file for those who have to find out why.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err::os::unix::fs::OpenOptionsExt;

use crate::event::{CheckResult, Event, Failure, PlaceSize};

use super::output::OutputWriter;
use super::run::RunProgress;
use super::{EventTime, LogFile, View, exit};

/// How many logs stay in the state directory.
const KEPT: usize = 20;

/// What scripts and their output may take of a log, in bytes: hosts must not fill this machine's disk.
const LARGEST: usize = 64 << 20;

pub(super) struct DebugLog {
    output: OutputWriter,
    /// What is left for scripts and their output.
    room: usize,
}

impl DebugLog {
    /// The log and its path, unless none is wanted. Errors name the path.
    pub(super) fn open(file: &LogFile, now: jiff::Timestamp) -> io::Result<Option<(Self, PathBuf)>> {
        let path = match file {
            LogFile::Off => return Ok(None),
            LogFile::Path(path) => path.clone(),
            LogFile::State => new_path(&state_directory()?, now)?,
        };
        let mut options = fs_err::OpenOptions::new();
        // Scripts carry a site's configuration: nobody else's business.
        options.create(true).append(true);
        options.mode(0o600);
        let log = options.open(&path)?;
        Ok(Some((
            Self {
                output: OutputWriter::new(Box::new(log)),
                room: LARGEST,
            },
            path,
        )))
    }
}

/// A new log's path in the directory, which is made and rid of the oldest logs.
fn new_path(directory: &Path, now: jiff::Timestamp) -> io::Result<PathBuf> {
    fs_err::create_dir_all(directory)?;
    prune(directory, KEPT - 1)?;
    let time = now.strftime("%Y%m%dT%H%M%S%.3fZ");
    Ok(directory.join(format!("{time}-{}.log", std::process::id())))
}

fn state_directory() -> io::Result<PathBuf> {
    let from_home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state"));
    // The base directory specification: a relative path is to be ignored.
    let base = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let base = base
        .or_else(from_home)
        .ok_or_else(|| io::Error::other("neither XDG_STATE_HOME nor HOME is set"))?;
    Ok(base.join("ci-bootstrap"))
}

/// Removes all but the newest logs; their names sort by time.
fn prune(directory: &Path, kept: usize) -> io::Result<()> {
    let mut logs: Vec<PathBuf> = fs_err::read_dir(directory)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    let surplus = logs.len().saturating_sub(kept);
    // A log that another run has just removed is gone as well.
    for log in logs.iter().take(surplus) {
        let _ = fs_err::remove_file(log);
    }
    Ok(())
}

impl View for DebugLog {
    fn event(&mut self, event: &Event, _run: &RunProgress, at: EventTime) {
        let time = at.time.strftime("%H:%M:%S%.3f");
        let text = text(event);
        if matches!(event, Event::Output { .. } | Event::Script { .. }) {
            let had_room = self.room > 0;
            self.room = self.room.saturating_sub(text.len());
            match (had_room, self.room > 0) {
                (_, true) => {}
                (true, false) => {
                    let end = "scripts and their output fill the log; from here on they are left out";
                    return self.output.line(&format!("{time} {end}"));
                }
                (false, false) => return,
            }
        }
        self.output.line(&format!("{time} {text}"));
    }

    fn end(&mut self, run: &RunProgress, at: EventTime) {
        let time = at.time.strftime("%H:%M:%S%.3f");
        self.output.line(&format!("{time} ended: {:?}", exit::of(run)));
    }
}

/// An event as lines, all but the first indented.
fn text(event: &Event) -> String {
    match event {
        Event::Started {
            command,
            cluster,
            places,
        } => started(command, cluster, places),
        Event::Connecting { place } => format!("[{place}] connecting"),
        Event::Observed {
            place,
            in_sync,
            differing,
        } => {
            format!("[{place}] observed: {in_sync} in sync, {differing} differ")
        }
        Event::Waiting { place, step, on } => format!("[{place}] {step}: waits for {on}"),
        Event::StepStarted {
            place,
            step,
            summary,
            detail,
        } => indented(
            format!("[{place}] {step}: {summary}"),
            "    ",
            detail.iter().map(String::as_str),
        ),
        Event::Output { place, step, line } => format!("[{place}] {step} | {line}"),
        Event::StepDone { place, step, took } => format!("[{place}] {step}: done in {took:.3?}"),
        Event::PlaceDone {
            place,
            changed,
            unchanged,
        } => {
            format!("[{place}] done: {changed} changed, {unchanged} in sync")
        }
        Event::PlaceFailed { place, step, failure } => failed(place, step.as_deref().unwrap_or("-"), failure),
        Event::Script { place, text } => indented(format!("[{place}] script:"), "    $ ", text.lines()),
        Event::Note { place, text } => format!("[{place}] note: {text}"),
        Event::CheckStarted { place, check } => format!("[{place}] {check}: checking"),
        Event::Checked {
            place,
            check,
            result,
            took,
        } => checked(place, check, result, *took),
        Event::Finished {
            done,
            failed,
            blocked,
            changes,
            took,
        } => {
            format!(
                "finished in {took:.3?}: {done} done, {failed} failed, {blocked} blocked, {changes} changes"
            )
        }
    }
}

fn started(command: &str, cluster: &str, places: &[PlaceSize]) -> String {
    let places: Vec<_> = places
        .iter()
        .map(|size| format!("{} {}", size.place, size.steps))
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "ci-bootstrap {version}: {command} {cluster}, steps: {}",
        places.join(", ")
    )
}

fn checked(place: &str, check: &str, result: &CheckResult, took: Duration) -> String {
    match result {
        CheckResult::Passed { detail } => format!("[{place}] {check}: passed in {took:.3?}: {detail}"),
        CheckResult::Skipped { reason } => format!("[{place}] {check}: skipped: {reason}"),
        CheckResult::Failed { failure } => failed(place, check, failure),
    }
}

fn failed(place: &str, step: &str, failure: &Failure) -> String {
    let head = format!("[{place}] {step}: {:?}: {}", failure.class, failure.message);
    let known = failure.origin.iter().chain(&failure.help).chain(&failure.output);
    indented(head, "    ", known.map(String::as_str))
}

fn indented<'a>(mut head: String, indent: &str, lines: impl Iterator<Item = &'a str>) -> String {
    for line in lines {
        let _ = write!(head, "\n{indent}{line}");
    }
    head
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use jiff::{Timestamp, ToSpan};

    use super::{DebugLog, Duration, Event, EventTime, KEPT, RunProgress, View as _, new_path};
    use crate::report::LogFile;
    use crate::report::fixtures::{play, troubled_apply};

    type Result = std::result::Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn everything_is_in_the_log_and_nobody_else_reads_it() -> Result {
        let directory = tempfile::tempdir()?;
        let file = LogFile::Path(directory.path().join("run.log"));
        let (log, path) = DebugLog::open(&file, Timestamp::UNIX_EPOCH)?.ok_or("no log")?;
        play(Box::new(log), troubled_apply());
        assert_eq!(fs_err::metadata(&path)?.permissions().mode() & 0o777, 0o600);
        let text = fs_err::read_to_string(&path)?.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        insta::assert_snapshot!("debug_log", text);
        Ok(())
    }

    #[test]
    fn output_cannot_fill_the_disk_and_all_else_is_told() -> Result {
        let directory = tempfile::tempdir()?;
        let file = LogFile::Path(directory.path().join("run.log"));
        let (mut log, path) = DebugLog::open(&file, Timestamp::UNIX_EPOCH)?.ok_or("no log")?;
        log.room = 1000;
        let at = EventTime {
            elapsed: Duration::ZERO,
            time: Timestamp::UNIX_EPOCH,
        };
        for _ in 0..1000 {
            let (place, step) = ("w1".to_owned(), "a".to_owned());
            let line = "x".repeat(90);
            log.event(&Event::Output { place, step, line }, &RunProgress::default(), at);
        }
        let (place, text) = ("w1".to_owned(), "still here".to_owned());
        log.event(&Event::Note { place, text }, &RunProgress::default(), at);
        let text = fs_err::read_to_string(&path)?;
        assert!(text.len() < 2000, "{}", text.len());
        assert_eq!(text.matches("from here on they are left out").count(), 1);
        assert!(text.contains("still here"));
        Ok(())
    }

    #[test]
    fn only_the_newest_logs_stay() -> Result {
        let directory = tempfile::tempdir()?;
        fs_err::write(directory.path().join("notes.txt"), "not ours")?;
        for minute in 0..KEPT + 3 {
            let now = Timestamp::UNIX_EPOCH.checked_add(i64::try_from(minute)?.minutes())?;
            fs_err::write(new_path(directory.path(), now)?, "")?;
        }
        let mut left: Vec<_> = fs_err::read_dir(directory.path())?
            .filter_map(|e| Some(e.ok()?.file_name()))
            .collect();
        left.sort();
        assert_eq!(left.len(), KEPT + 1, "the newest, and what isn't ours");
        assert!(
            left[0].to_string_lossy().starts_with("19700101T000300"),
            "{left:?}"
        );
        Ok(())
    }
}
