//! The output of a batch, followed while it comes.

use std::time::Instant;

use tokio::sync::mpsc;

use crate::event::Event;
use crate::observe::Found;

use super::batch::{self, Line, Lines};
use super::failure;
use super::host_track::{HostTrack, Stopped};

/// Follows the output of a batch while it runs.
pub(super) struct Listener<'a> {
    track: &'a HostTrack<'a>,
    first: usize,
    found: &'a [Found],
    /// The step at work, since when, and what it has printed.
    running: Option<(usize, Instant, Vec<String>)>,
}

impl<'a> Listener<'a> {
    /// Follows the batch whose first step is at `first`; `found` is what the last look made of that step and those after it.
    pub(super) fn new(track: &'a HostTrack<'a>, first: usize, found: &'a [Found]) -> Self {
        Self {
            track,
            first,
            found,
            running: None,
        }
    }

    /// Sends events for what the lines say; the result is the failure of the step that failed.
    pub(super) async fn listen(mut self, mut bytes: mpsc::Receiver<Vec<u8>>) -> Option<Stopped> {
        let mut lines = Lines::default();
        let mut failed = None;
        while let Some(chunk) = bytes.recv().await {
            for line in lines.feed(&chunk) {
                failed = failed.or(self.line(&line));
            }
        }
        failed
    }

    fn line(&mut self, line: &str) -> Option<Stopped> {
        let place = || self.track.name.to_owned();
        match batch::read_line(line) {
            Line::Begin(index) => {
                let change = self
                    .found
                    .get(index - self.first)
                    .and_then(Found::change)
                    .cloned();
                let (summary, detail) =
                    change.map_or_else(Default::default, |change| (change.summary, change.detail));
                let step = self.track.steps[index].head.name.clone();
                self.track.run.events.send(Event::StepStarted {
                    place: place(),
                    step,
                    summary,
                    detail,
                });
                self.running = Some((index, Instant::now(), Vec::new()));
            }
            Line::End(index, status) => {
                let (_, began, output) = self.running.take()?;
                let head = &self.track.steps[index].head;
                if status != 0 {
                    return Some(self.track.fail(index, failure::command(head, status, &output)));
                }
                self.track.run.events.send(Event::StepDone {
                    place: place(),
                    step: head.name.clone(),
                    took: began.elapsed(),
                });
            }
            Line::Text(text) => {
                if let Some((index, _, output)) = &mut self.running {
                    output.push(text.to_owned());
                    let step = self.track.steps[*index].head.name.clone();
                    self.track.run.events.send(Event::Output {
                        place: place(),
                        step,
                        line: text.to_owned(),
                    });
                }
            }
            Line::Unfinished(_) => {}
        }
        None
    }
}
