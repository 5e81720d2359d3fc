//! The output of a batch, followed while it comes. A host may print what it likes: only marks that carry the batch's
//! separator, in the order of its steps, mean anything.

use std::collections::VecDeque;
use std::time::Instant;

use tokio::sync::mpsc;

use crate::event::Event;
use crate::observe::StepState;
use crate::resource::Separator;

use super::batch::{self, LineSplitter, OutputLine};
use super::failure;
use super::host_track::{HostTrackRun, Stopped};

/// What one step may print until its lines are no longer shown, in bytes. The last ones are kept for its failure.
const SHOWN: usize = 1 << 20;

/// Follows the output of a batch while it runs.
pub(super) struct BatchListener<'a> {
    track: &'a HostTrackRun<'a>,
    separator: &'a Separator,
    /// The steps of the batch that have not ended, with what the last look made of them.
    steps: VecDeque<(usize, &'a StepState)>,
    /// Since when the first of them is at work, and what it has printed.
    running: Option<RunningStep>,
}

struct RunningStep {
    began: Instant,
    /// Its last lines.
    output: VecDeque<String>,
    printed: usize,
}

impl<'a> BatchListener<'a> {
    /// Follows a batch of these steps, whose script has this separator.
    pub(super) fn new(
        track: &'a HostTrackRun<'a>,
        separator: &'a Separator,
        steps: impl IntoIterator<Item = (usize, &'a StepState)>,
    ) -> Self {
        Self {
            track,
            separator,
            steps: steps.into_iter().collect(),
            running: None,
        }
    }

    /// Sends events for what the lines say; the result is the failure of the step that failed.
    pub(super) async fn listen(mut self, mut bytes: mpsc::Receiver<Vec<u8>>) -> Option<Stopped> {
        let mut lines = LineSplitter::default();
        let mut failed = None;
        while let Some(chunk) = bytes.recv().await {
            for line in lines.feed(&chunk) {
                failed = failed.or(self.line(&line));
            }
        }
        failed
    }

    fn line(&mut self, line: &str) -> Option<Stopped> {
        let next = self.steps.front().map(|(index, _)| *index);
        match (batch::read_line(line, self.separator), &self.running) {
            (OutputLine::Begin(index), None) if Some(index) == next => self.begin(),
            (OutputLine::End(index, status), Some(_)) if Some(index) == next => return self.end(status),
            _ => self.text(line),
        }
        None
    }

    fn begin(&mut self) {
        let Some((index, found)) = self.steps.front() else {
            return;
        };
        let change = found.change().cloned();
        let (summary, detail) =
            change.map_or_else(Default::default, |change| (change.summary, change.detail));
        self.track.run.events.send(Event::StepStarted {
            place: self.track.name.to_owned(),
            step: self.track.steps[*index].head.name.clone(),
            summary,
            detail,
        });
        self.running = Some(RunningStep {
            began: Instant::now(),
            output: VecDeque::new(),
            printed: 0,
        });
    }

    fn end(&mut self, status: i32) -> Option<Stopped> {
        let running = self.running.take()?;
        let (index, _) = self.steps.pop_front()?;
        let head = &self.track.steps[index].head;
        if status != 0 {
            let output = Vec::from(running.output);
            return Some(self.track.fail(index, failure::command(head, status, &output)));
        }
        self.track.run.events.send(Event::StepDone {
            place: self.track.name.to_owned(),
            step: head.name.clone(),
            took: running.began.elapsed(),
        });
        None
    }

    fn text(&mut self, line: &str) {
        let (Some(running), Some((index, _))) = (&mut self.running, self.steps.front()) else {
            return;
        };
        if !line.trim().is_empty() {
            if running.output.len() == failure::SHOWN {
                running.output.pop_front();
            }
            running.output.push_back(line.to_owned());
        }
        let was_shown = running.printed < SHOWN;
        running.printed += line.len() + 1;
        let line = match (was_shown, running.printed < SHOWN) {
            (true, true) => line,
            (true, false) => "(it prints more than is shown here)",
            (false, _) => return,
        };
        self.track.run.events.send(Event::Output {
            place: self.track.name.to_owned(),
            step: self.track.steps[*index].head.name.clone(),
            line: line.to_owned(),
        });
    }
}
