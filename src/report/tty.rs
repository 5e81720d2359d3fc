//! The view on a terminal: what is settled scrolls up, what goes on is redrawn below it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::event::{CheckResult, Event};

use super::output::OutputWriter;
use super::palette::Palette;
use super::run::{RunProgress, TrackProgress};
use super::{EventTime, View, frame, said, summary, words};

/// Up to so many places each change gets a line; beyond, only each place that has changed.
const FEW: usize = 10;

/// A terminal to draw on.
pub(super) struct Terminal {
    target: ProgressDrawTarget,
    /// Rows and columns, asked each time because windows are resized.
    size: Box<dyn Fn() -> (u16, u16) + Send>,
}

impl Terminal {
    pub(super) fn new(target: ProgressDrawTarget, size: Box<dyn Fn() -> (u16, u16) + Send>) -> Self {
        Self { target, size }
    }

    /// The process's own. The frame goes to standard error, so that it never ends up in what somebody keeps.
    pub(super) fn stderr() -> Self {
        let size = || console::Term::stderr().size_checked().unwrap_or((24, 80));
        Self::new(ProgressDrawTarget::stderr(), Box::new(size))
    }
}

pub(super) struct TerminalView {
    /// One bar whose message is the whole frame: indicatif redraws it, and puts lines above it.
    bar: ProgressBar,
    size: Box<dyn Fn() -> (u16, u16) + Send>,
    /// Lines that the next tick puts above the frame: thousands come in a burst, and each would redraw everything.
    settled: Vec<String>,
    output: OutputWriter,
    palette: Palette,
    verbosity: u8,
}

impl TerminalView {
    pub(super) fn new(screen: Terminal, output: OutputWriter, palette: Palette, verbosity: u8) -> Self {
        let style =
            ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::with_draw_target(None, screen.target).with_style(style);
        Self {
            bar,
            size: screen.size,
            settled: Vec::new(),
            output,
            palette,
            verbosity,
        }
    }

    fn draw(&mut self, run: &RunProgress, at: EventTime) {
        if run.has_begun() && !run.is_finished() {
            self.bar
                .set_message(frame::lines(run, at.elapsed, (self.size)(), &self.palette).join("\n"));
        }
        if !self.settled.is_empty() {
            self.bar.println(std::mem::take(&mut self.settled).join("\n"));
        }
    }

    /// What is settled by an event.
    fn said(&self, event: &Event, run: &RunProgress) -> Vec<String> {
        let is_many = run.tracks.len() > FEW;
        match event {
            // The frame shows these for as long as they are true.
            Event::Connecting { .. }
            | Event::Observed { .. }
            | Event::Waiting { .. }
            | Event::StepStarted { .. }
            | Event::CheckStarted { .. } => Vec::new(),
            Event::StepDone { .. }
            | Event::PlaceDone { changed: 0, .. }
            | Event::Checked {
                result: CheckResult::Passed { .. },
                ..
            } if is_many => Vec::new(),
            Event::StepDone { .. } if run.is_plan() => Vec::new(),
            Event::StepDone { place, step, took } => self.made(run, place, step, *took),
            _ => said::about(event, run, &self.palette, self.verbosity)
                .map(|(place, texts)| texts.iter().map(|text| self.prefixed(run, place, text)).collect())
                .unwrap_or_default(),
        }
    }

    /// A change that was made; how long it took where that was noticeable.
    fn made(&self, run: &RunProgress, place: &str, step: &str, took: Duration) -> Vec<String> {
        let change = run.find(place).and_then(|track| track.change(step));
        let summary = change.map_or("changed", |change| change.summary.as_str());
        let took = if took.as_secs() == 0 {
            String::new()
        } else {
            format!("  {}", words::took(took))
        };
        let mut lines = vec![format!("{step}: {summary}{}", self.palette.quiet.apply_to(took))];
        if let (Some(change), true) = (change, self.verbosity > 0) {
            lines.extend(
                change
                    .detail
                    .iter()
                    .map(|line| format!("    {}", self.palette.diff(line))),
            );
        }
        lines.iter().map(|line| self.prefixed(run, place, line)).collect()
    }

    fn prefixed(&self, run: &RunProgress, place: &str, text: &str) -> String {
        let width = run
            .tracks
            .iter()
            .map(|track: &TrackProgress| console::measure_text_width(&track.place))
            .max();
        let place = console::pad_str(place, width.unwrap_or(0), console::Alignment::Left, None);
        format!("{}  {text}", self.palette.strong.apply_to(place))
    }
}

impl View for TerminalView {
    fn event(&mut self, event: &Event, run: &RunProgress, _at: EventTime) {
        let said = self.said(event, run);
        self.settled.extend(said);
    }

    fn tick(&mut self, run: &RunProgress, at: EventTime) {
        self.draw(run, at);
    }

    fn end(&mut self, run: &RunProgress, at: EventTime) {
        self.draw(run, at);
        self.bar.finish_and_clear();
        for line in summary::lines(run, &self.palette, at.elapsed) {
            self.output.line(&line);
        }
    }
}
