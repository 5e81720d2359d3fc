//! Whole runs, as they are shown.

mod terminal;

use std::time::Duration;

use insta::assert_snapshot;

use crate::event::{Class, Event};

use crate::report::fixtures::{
    CapturedOutput, done, failed, finished, moment, output, play, reporter, started, step, step_done,
    troubled_apply, troubled_verification,
};
use crate::report::palette::Palette;
use crate::report::{Exit, json::JsonView, plain::PlainView};

fn plain(events: Vec<Event>, verbosity: u8) -> (String, crate::report::Report) {
    let capture = CapturedOutput::default();
    let view = PlainView::new(capture.output(), Palette::with(false), verbosity);
    let report = play(Box::new(view), events);
    (capture.text(), report)
}

#[test]
fn plain_text_of_a_troubled_run() {
    let (text, report) = plain(troubled_apply(), 0);
    assert_snapshot!("plain", text);
    assert_eq!((report.exit_code(), report.changes), (Exit::StepFailed, 2));
}

#[test]
fn verbose_plain_text_shows_scripts_and_what_they_print() {
    let (text, _) = plain(troubled_apply(), 2);
    assert_snapshot!("plain_verbose", text);
}

#[test]
fn json_has_an_object_for_each_event_and_says_the_exit_code() {
    let capture = CapturedOutput::default();
    play(Box::new(JsonView::new(capture.output(), 0)), troubled_apply());
    assert_snapshot!("json", capture.text());
    for line in capture.text().lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        assert!(
            object["time"].is_string() && object["event"].is_string(),
            "{line}"
        );
    }
}

#[test]
fn a_verification_ends_in_a_table() {
    let (text, report) = plain(troubled_verification(), 0);
    assert_snapshot!("verification", text);
    assert_eq!(report.exit_code(), Exit::VerificationFailed);
    let capture = CapturedOutput::default();
    play(
        Box::new(JsonView::new(capture.output(), 0)),
        troubled_verification(),
    );
    assert_snapshot!("verification_json", capture.text());
}

#[test]
fn a_plan_is_in_the_order_of_its_places_and_says_nothing_before() {
    let places = ["m1", "w1", "cluster"];
    let events = vec![
        started("plan", &places),
        step(
            "cluster",
            "Calico",
            "create 24 objects (known after kubeadm init on m1)",
            &[],
        ),
        done("cluster", 1),
        done("w1", 0),
        step(
            "m1",
            "sysctl",
            "set net.ipv4.ip_forward",
            &[" # ours", "-0", "+1"],
        ),
        step("m1", "swap", "turn swap off", &[]),
        done("m1", 2),
        finished(3, 0, 0, 3),
    ];
    let (text, report) = plain(events, 0);
    assert_snapshot!("plan", text);
    assert_eq!(report.exit_code(), Exit::Done);
    assert_eq!(report.plan_exit_code(), Exit::Changes);
}

#[test]
fn a_plan_without_changes_says_so() {
    let (text, report) = plain(
        vec![started("plan", &["m1"]), done("m1", 0), finished(1, 0, 0, 0)],
        0,
    );
    assert_snapshot!(text, @r"
    in sync: m1

    No changes.
    ");
    assert_eq!(report.plan_exit_code(), Exit::Done);
}

#[test]
fn a_plan_says_for_whom_it_is_incomplete() {
    let events = vec![
        started("plan", &["m1", "w1"]),
        failed("w1", None, Class::Unreachable, "no route"),
        step("m1", "swap", "turn swap off", &[]),
        done("m1", 1),
        finished(1, 1, 0, 1),
    ];
    let (text, report) = plain(events, 0);
    assert_snapshot!(text, @"
    m1 (1 change)
      ~ swap: turn swap off

    UNREACHABLE w1: no route

    Plan: 1 change on 1 host; incomplete for w1.
    Debug log: /state/run.log
    ");
    assert_eq!(report.plan_exit_code(), Exit::Unreachable);
}

#[test]
fn the_lock_is_a_code_of_its_own() {
    let message = "anna@laptop has been running apply since 12:00";
    let events = vec![
        started("apply", &["m1", "w1"]),
        failed("m1", None, Class::Locked, message),
        finished(0, 1, 0, 0),
    ];
    let (text, report) = plain(events, 0);
    assert_eq!(report.exit_code(), Exit::Locked);
    assert!(text.contains(&format!("LOCKED m1: {message}")), "{text}");
}

#[test]
fn what_blocks_decides_before_what_is_blocked() {
    let events = vec![
        started("apply", &["m1", "w1"]),
        failed("m1", None, Class::Unreachable, "no route"),
        failed("w1", Some("join"), Class::Blocked, "waits for the API server"),
        finished(0, 1, 1, 0),
    ];
    assert_eq!(plain(events, 0).1.exit_code(), Exit::Unreachable);
}

#[test]
fn a_run_that_just_stops_is_a_bug() {
    let (text, report) = plain(vec![started("apply", &["m1"])], 0);
    assert_eq!(report.exit_code(), Exit::Bug);
    assert!(
        text.contains("ended early") && text.contains("/state/run.log"),
        "{text}"
    );
}

#[test]
fn a_note_about_the_run_is_no_place_of_it() {
    let note = Event::Note {
        place: "run".into(),
        text: "stopping".into(),
    };
    let (text, _) = plain(
        vec![
            started("apply", &["m1"]),
            note,
            done("m1", 0),
            finished(1, 0, 0, 0),
        ],
        0,
    );
    assert!(
        text.contains("[run] note: stopping") && text.contains("nothing to change on 1 host in"),
        "{text}"
    );
    assert!(!text.contains("not done"), "{text}");
}

#[test]
fn plain_text_is_never_silent_for_long() {
    let capture = CapturedOutput::default();
    let mut reporter = reporter(Box::new(PlainView::new(
        capture.output(),
        Palette::with(false),
        0,
    )));
    reporter.event(started("apply", &["m1", "w1"]), moment(0));
    reporter.event(step("m1", "kubeadm init", "make a cluster", &[]), moment(2));
    for half_second in 3..140 {
        if half_second == 100 {
            reporter.event(output("m1", "kubeadm init", "[etcd] up"), moment(half_second));
        }
        reporter.tick(moment(half_second));
    }
    let signs: Vec<String> = capture.text().lines().skip(2).map(str::to_owned).collect();
    assert_eq!(
        signs,
        [
            "00:31 0/2 done, 1 working, 0 waiting; for 30s: [m1] kubeadm init: make a cluster",
            "01:01 0/2 done, 1 working, 0 waiting; for 1m00s: [m1] kubeadm init: [etcd] up",
        ]
    );
}

struct Closed;

impl std::io::Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_run_goes_on_when_nobody_reads() {
    let output = crate::report::output::OutputWriter::new(Box::new(Closed));
    let report = play(
        Box::new(PlainView::new(output, Palette::with(false), 0)),
        troubled_apply(),
    );
    assert_eq!(report.exit_code(), Exit::StepFailed);
}

#[tokio::test]
async fn a_report_ends_with_the_run_though_senders_live_on() {
    let (events, receiver) = crate::event::Events::channel();
    let options = crate::report::ReportOptions {
        format: crate::report::OutputFormat::Plain,
        log: crate::report::LogFile::Off,
        ..Default::default()
    };
    let report = crate::report::start(receiver, options);
    events.send(started("apply", &["m1"]));
    events.send(done("m1", 0));
    events.send(finished(1, 0, 0, 0));
    let report = tokio::time::timeout(Duration::from_secs(5), report).await;
    assert!(matches!(report, Ok(Ok(report)) if report.exit_code() == Exit::Done));
    events.send(done("m1", 0));
}

#[test]
fn the_documentation_names_every_event_and_code() {
    let documentation = include_str!("../../../docs/output.md");
    let capture = CapturedOutput::default();
    play(Box::new(JsonView::new(capture.output(), 2)), troubled_apply());
    for line in capture.text().lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        let name = object["event"].as_str().unwrap_or("an event without a name");
        assert!(documentation.contains(&format!("| `{name}` |")), "{name}");
        for field in object.as_object().into_iter().flat_map(serde_json::Map::keys) {
            assert!(documentation.contains(&format!("`{field}`")), "{name}.{field}");
        }
    }
}

#[test]
fn a_stopped_run_has_not_failed() {
    let events = vec![
        started("apply", &["m1", "w1", "cluster"]),
        step("m1", "swap", "turn swap off", &[]),
        step_done("m1", "swap", 1),
        failed("m1", Some("packages"), Class::Interrupted, "not started"),
        done("w1", 0),
        failed(
            "cluster",
            Some("Calico"),
            Class::Blocked,
            "waits for the API server",
        ),
        finished(1, 1, 1, 1),
    ];
    let (text, report) = plain(events, 0);
    assert_eq!(report.exit_code(), Exit::Interrupted);
    let end = text
        .lines()
        .skip_while(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n");
    assert_snapshot!(end, @"

    in sync    1  w1
    blocked    1  cluster
    stopped    1  m1 (1)

    INTERRUPTED m1: not started
      step: packages

    BLOCKED cluster: waits for the API server
      step: Calico

    apply ci stopped: 1 of 3 done, 1 blocked, 1 stopped, 1 change in 1m01s
    What is done stays done: run it again to continue.
    Debug log: /state/run.log
    ");
}
