//! What a terminal shows.

use std::time::Duration;

use indicatif::{InMemoryTerm, ProgressDrawTarget};
use insta::assert_snapshot;

use crate::event::Class;
use crate::report::fixtures::{
    CapturedOutput, done, failed, finished, moment, output, reporter, started, step, step_done,
    troubled_apply,
};
use crate::report::palette::Palette;
use crate::report::run::RunProgress;
use crate::report::{View, frame, tty};

fn terminal(rows: u16, columns: u16) -> (InMemoryTerm, CapturedOutput, Box<dyn View>) {
    let term = InMemoryTerm::new(rows, columns);
    let target = ProgressDrawTarget::term_like(Box::new(term.clone()));
    let screen = tty::Terminal::new(target, Box::new(move || (rows, columns)));
    let capture = CapturedOutput::default();
    let view = tty::TerminalView::new(screen, capture.output(), Palette::with(false), 0);
    (term, capture, Box::new(view))
}

#[test]
fn few_hosts_on_a_terminal() {
    let (term, _, view) = terminal(24, 80);
    let mut reporter = reporter(view);
    for (index, event) in troubled_apply().into_iter().take(14).enumerate() {
        reporter.event(event, moment(index));
    }
    reporter.event(output("w2", "packages", "  Unpacking kubelet ..."), moment(30));
    reporter.tick(moment(40));
    assert_snapshot!("tty_few", term.contents());
}

#[test]
fn a_hundred_hosts_fit_a_small_terminal() {
    let names: Vec<String> = (1..=100).map(|number| format!("w{number:03}")).collect();
    let (term, summary, view) = terminal(14, 60);
    let mut reporter = reporter(view);
    reporter.event(
        started("apply", &names.iter().map(String::as_str).collect::<Vec<_>>()),
        moment(0),
    );
    for (index, name) in names.iter().enumerate() {
        match index {
            0..5 => reporter.event(
                failed(name, Some("packages"), Class::StepFailed, "status 100"),
                moment(2),
            ),
            5..60 => reporter.event(done(name, 0), moment(2)),
            60 => {
                reporter.event(step(name, "swap", "turn swap off", &[]), moment(2));
                reporter.event(step_done(name, "swap", 1), moment(3));
                reporter.event(done(name, 1), moment(3));
            }
            _ => reporter.event(
                step(
                    name,
                    "kubeadm join",
                    "join the cluster through a control plane with a long name",
                    &[],
                ),
                moment(4),
            ),
        }
    }
    reporter.tick(moment(240));
    assert_snapshot!("tty_many", term.contents());
    assert!(term.contents().lines().all(|line| line.chars().count() < 60));
    reporter.event(finished(56, 5, 0, 1), moment(250));
    reporter.end(moment(250));
    assert!(
        !term.contents().contains("working"),
        "the frame is cleared: {}",
        term.contents()
    );
    assert_snapshot!("summary_many", summary.text());
}

#[test]
fn a_frame_fits_every_terminal() {
    let mut run = RunProgress::default();
    for event in troubled_apply().into_iter().take(17) {
        run.take(&event, Duration::ZERO);
    }
    for (rows, columns) in [(1, 20), (5, 33), (8, 40), (24, 80), (60, 250)] {
        for is_coloured in [false, true] {
            let palette = Palette::with(is_coloured);
            let lines = frame::lines(&run, Duration::from_secs(4000), (rows, columns), &palette);
            assert!(lines.len() <= usize::from(rows.max(3)), "{rows} rows: {lines:#?}");
            for line in &lines {
                assert!(
                    console::measure_text_width(line) < usize::from(columns),
                    "{columns}: {line}"
                );
                assert!(is_coloured || !line.contains('\u{1b}'), "{line:?}");
            }
        }
    }
}
