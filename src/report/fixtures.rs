//! A sample run for tests, and a reporter whose output is text.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::event::{CheckResult, Class, Event, Failure, PlaceSize};

use super::output::OutputWriter;
use super::run::RunProgress;
use super::{EventTime, LogFile, Report, ReportOptions, Reporter, View};

/// What was written.
#[derive(Clone, Default)]
pub(super) struct CapturedOutput(Arc<Mutex<Vec<u8>>>);

impl CapturedOutput {
    pub(super) fn output(&self) -> OutputWriter {
        OutputWriter::new(Box::new(self.clone()))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for CapturedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Plays events to a view, one each half second from a fixed time on.
pub(super) fn play(view: Box<dyn View>, events: Vec<Event>) -> Report {
    let mut reporter = reporter(view);
    let last = events.len();
    for (index, event) in events.into_iter().enumerate() {
        reporter.event(event, moment(index));
        reporter.tick(moment(index));
    }
    reporter.end(moment(last))
}

pub(super) fn reporter(view: Box<dyn View>) -> Reporter {
    let options = ReportOptions {
        log: LogFile::Off,
        ..ReportOptions::default()
    };
    let run = RunProgress {
        log: Some("/state/run.log".into()),
        ..RunProgress::default()
    };
    Reporter {
        run,
        views: vec![view],
        redact: options.redact,
        timings: None,
    }
}

pub(super) fn moment(half_seconds: usize) -> EventTime {
    let elapsed = Duration::from_millis(500 * u64::try_from(half_seconds).unwrap_or_default());
    let start = jiff::Timestamp::UNIX_EPOCH;
    EventTime {
        elapsed,
        time: start.checked_add(elapsed).unwrap_or(start),
    }
}

pub(super) fn started(command: &str, places: &[&str]) -> Event {
    let places = places
        .iter()
        .map(|place| PlaceSize {
            place: (*place).to_owned(),
            steps: 20,
        })
        .collect();
    Event::Started {
        command: command.to_owned(),
        cluster: "ci".to_owned(),
        places,
    }
}

pub(super) fn step(place: &str, step: &str, summary: &str, detail: &[&str]) -> Event {
    let detail = detail.iter().map(|line| (*line).to_owned()).collect();
    Event::StepStarted {
        place: place.into(),
        step: step.into(),
        summary: summary.into(),
        detail,
    }
}

pub(super) fn step_done(place: &str, step: &str, seconds: u64) -> Event {
    Event::StepDone {
        place: place.into(),
        step: step.into(),
        took: Duration::from_secs(seconds),
    }
}

pub(super) fn output(place: &str, step: &str, line: &str) -> Event {
    Event::Output {
        place: place.into(),
        step: step.into(),
        line: line.into(),
    }
}

pub(super) fn done(place: &str, changed: usize) -> Event {
    Event::PlaceDone {
        place: place.into(),
        changed,
        unchanged: 20 - changed,
    }
}

pub(super) fn failed(place: &str, step: Option<&str>, class: Class, message: &str) -> Event {
    let failure = Failure {
        class,
        message: message.into(),
        origin: None,
        output: Vec::new(),
        help: None,
    };
    Event::PlaceFailed {
        place: place.into(),
        step: step.map(str::to_owned),
        failure,
    }
}

pub(super) fn finished(done: usize, failed: usize, blocked: usize, changes: usize) -> Event {
    Event::Finished {
        done,
        failed,
        blocked,
        changes,
        took: Duration::from_millis(61_500),
    }
}

/// The mirror is broken on two workers: what a package manager says.
fn broken_mirror(place: &str) -> Event {
    let failure = Failure {
        class: Class::StepFailed,
        message: "apt-get exited with status 100".into(),
        origin: Some("playbooks/20-node.yaml:12".into()),
        output: vec!["E: Unable to locate package kubelet".into()],
        help: Some("check repositories.kubernetes in the inventory".into()),
    };
    Event::PlaceFailed {
        place: place.into(),
        step: Some("packages".into()),
        failure,
    }
}

/// Five hosts and the cluster: a change, nothing to do, two failures alike, a host that doesn't answer, and a block.
pub(super) fn troubled_apply() -> Vec<Event> {
    let place = || "m1".to_owned();
    vec![
        started("apply", &["m1", "w1", "w2", "w3", "w4", "cluster"]),
        Event::Connecting { place: place() },
        Event::Script {
            place: place(),
            text: "set -eu\nhostname".into(),
        },
        Event::Observed {
            place: place(),
            in_sync: 19,
            differing: 1,
        },
        Event::Waiting {
            place: "cluster".into(),
            step: "Calico".into(),
            on: "the API server".into(),
        },
        step("m1", "sysctl", "set net.ipv4.ip_forward", &["-0", "+1"]),
        Event::Output {
            place: place(),
            step: "sysctl".into(),
            line: "net.ipv4.ip_forward = 1".into(),
        },
        Event::Note {
            place: place(),
            text: "the clock is 2s ahead".into(),
        },
        step_done("m1", "sysctl", 3),
        done("m1", 1),
        done("w1", 0),
        step("w2", "swap", "turn swap off", &[]),
        step_done("w2", "swap", 75),
        step("w2", "packages", "install kubelet 1.34.1", &["+kubelet 1.34.1"]),
        broken_mirror("w2"),
        broken_mirror("w3"),
        failed("w4", None, Class::Unreachable, "10.0.0.4:22 doesn't answer (10s)"),
        failed(
            "cluster",
            Some("Calico"),
            Class::Blocked,
            "waits for node w2, which has failed",
        ),
        finished(2, 3, 1, 2),
    ]
}

/// A verification in which a registry fails at two hosts alike, and one check is pointless without it.
pub(super) fn troubled_verification() -> Vec<Event> {
    let checked = |place: &str, check: &str, result: CheckResult| Event::Checked {
        place: place.into(),
        check: check.into(),
        result,
        took: Duration::from_millis(1_200),
    };
    let passed = |detail: &str| CheckResult::Passed {
        detail: detail.into(),
    };
    let refused = || CheckResult::Failed {
        failure: Failure {
            class: Class::VerificationFailed,
            message: "r.example refuses the node's user and password".into(),
            origin: None,
            output: vec!["401 Unauthorized".into()],
            help: Some("correct `credentials`".into()),
        },
    };
    vec![
        started("verify", &["cluster", "w1", "w2"]),
        Event::CheckStarted {
            place: "w1".into(),
            check: "registry r.example".into(),
        },
        checked("cluster", "nodes ready", passed("2 of 2")),
        checked("w1", "cluster DNS", passed("kubernetes is 10.96.0.1")),
        checked("w2", "cluster DNS", passed("kubernetes is 10.96.0.1")),
        checked("w1", "registry r.example", refused()),
        checked("w2", "registry r.example", refused()),
        checked(
            "cluster",
            "builds",
            CheckResult::Skipped {
                reason: "registry r.example did not pass at w1".into(),
            },
        ),
        done("w1", 0),
        finished(1, 2, 0, 0),
    ]
}
