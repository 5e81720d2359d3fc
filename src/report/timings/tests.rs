#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::Duration;

use super::Timings;
use super::path::{critical, span};
use super::span::{Activity, PlaceRow, Recorder};
use crate::event::{Class, Event, Failure};
use crate::report::fixtures::{moment, started};
use crate::report::run::RunProgress;

fn step(place: &str, step: &str) -> Event {
    let (place, step) = (place.to_owned(), step.to_owned());
    Event::StepStarted {
        place,
        summary: format!("make {step}"),
        step,
        detail: Vec::new(),
    }
}

fn done(place: &str, step: &str) -> Event {
    Event::StepDone {
        place: place.to_owned(),
        step: step.to_owned(),
        took: Duration::ZERO,
    }
}

fn waits(place: &str, step: &str, on: &str) -> Event {
    Event::Waiting {
        place: place.to_owned(),
        step: step.to_owned(),
        on: on.to_owned(),
    }
}

fn ends(place: &str) -> Event {
    Event::PlaceDone {
        place: place.to_owned(),
        changed: 1,
        unchanged: 0,
    }
}

fn recorded(events: &[(u64, Event)]) -> Vec<PlaceRow> {
    let mut recorder = Recorder::default();
    for (second, event) in events {
        recorder.take(event, Duration::from_secs(*second));
    }
    recorder.finish(Duration::from_secs(100))
}

/// A worker that waits for the control plane, and a host that is over long before.
fn a_run() -> Vec<(u64, Event)> {
    let connect = |place: &str| Event::Connecting {
        place: place.to_owned(),
    };
    vec![
        (0, started("apply", &["cp1", "w1", "w2"])),
        (0, connect("cp1")),
        (0, connect("w1")),
        (0, connect("w2")),
        (1, step("w2", "packages")),
        (2, step("cp1", "packages")),
        (3, step("w1", "packages")),
        (4, done("w2", "packages")),
        (5, ends("w2")),
        (10, waits("w1", "membership", "api-server")),
        (12, step("cp1", "control plane")),
        (30, done("cp1", "control plane")),
        (30, step("w1", "membership")),
        (31, ends("cp1")),
        (40, done("w1", "membership")),
        (41, ends("w1")),
    ]
}

#[test]
fn a_place_does_one_thing_after_the_other() {
    let rows = recorded(&a_run());
    let worker = rows.iter().find(|row| row.place == "w1").unwrap();
    let spans: Vec<_> = worker
        .spans
        .iter()
        .map(|span| {
            (
                span.activity,
                span.name.as_str(),
                span.from.as_secs(),
                span.to.as_secs(),
            )
        })
        .collect();
    assert_eq!(
        spans,
        [
            (Activity::Connect, "connect", 0, 3),
            (Activity::Change, "packages", 3, 10),
            (Activity::Wait, "membership", 10, 30),
            (Activity::Change, "membership", 30, 40),
            (Activity::Look, "look", 40, 41),
        ]
    );
}

#[test]
fn the_critical_path_follows_a_wait_to_what_ended_it() {
    let rows = recorded(&a_run());
    let path: Vec<_> = critical(&rows)
        .into_iter()
        .map(|stop| (rows[stop.0].place.as_str(), span(&rows, stop).name.as_str()))
        .collect();
    assert_eq!(
        path,
        [
            ("cp1", "connect"),
            ("cp1", "packages"),
            ("cp1", "control plane"),
            ("w1", "membership"),
            ("w1", "look"),
        ]
    );
}

#[test]
fn a_wait_that_nothing_ended_stays_on_the_path() {
    let rows = recorded(&[
        (0, started("apply", &["w1", "w2"])),
        (0, step("w1", "packages")),
        (4, step("w2", "packages")),
        (5, waits("w1", "node ready", "work that an earlier run began")),
        (9, ends("w2")),
        (20, ends("w1")),
    ]);
    let names: Vec<_> = critical(&rows)
        .into_iter()
        .map(|stop| span(&rows, stop).activity)
        .collect();
    assert_eq!(names, [Activity::Change, Activity::Wait]);
    assert!(critical(&[]).is_empty());
}

#[test]
fn what_a_host_printed_stays_text() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    let timings = Timings::new(file.clone()).unwrap();
    let failed = Event::PlaceFailed {
        place: "cp1".to_owned(),
        step: Some("packages".to_owned()),
        failure: Failure {
            class: Class::StepFailed,
            message: "apt said <script>alert(\"1\")</script>".to_owned(),
            origin: None,
            output: Vec::new(),
            help: None,
        },
    };
    let (mut recorder, mut run) = (Recorder::default(), RunProgress::default());
    for event in [started("apply", &["cp1"]), step("cp1", "packages"), failed] {
        recorder.take(&event, Duration::ZERO);
        run.take(&event, Duration::ZERO);
    }
    timings.write(recorder, &run, moment(4)).unwrap();
    let page = fs_err::read_to_string(&file).unwrap();
    assert!(
        page.contains("apt said &lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;"),
        "{page}"
    );
    assert!(!page.contains("<script"), "{page}");
    assert!(page.contains("0 changes, 1 failure"), "{page}");
    // A verification of the same command is a section of its own.
    timings
        .write(Recorder::default(), &RunProgress::default(), moment(5))
        .unwrap();
    assert_eq!(fs_err::read_to_string(&file).unwrap().matches("<h1>").count(), 2);
}

#[test]
fn a_folder_that_is_not_there_is_met_before_the_run() {
    assert!(Timings::new("/no/such/folder/report.html".into()).is_err());
    assert!(Timings::new("/tmp".into()).is_err());
}
