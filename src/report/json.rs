//! One JSON object per line, for machines.

use serde::Serialize;

use crate::event::Event;

use super::output::Output;
use super::run::Run;
use super::{Moment, View, exit};

/// Writes each event as `{"time": …, "event": …, …}` and a last line `{"event": "report"}`.
pub(super) struct Json {
    output: Output,
    verbosity: u8,
}

#[derive(Serialize)]
struct Line<'a, T> {
    time: String,
    #[serde(flatten)]
    event: &'a T,
}

/// What only the end of a run can say.
#[derive(Serialize)]
#[serde(tag = "event", rename = "report", rename_all = "camelCase")]
struct Closing<'a> {
    command: &'a str,
    exit_code: u8,
    changes: usize,
    log_file: Option<&'a std::path::Path>,
}

impl Json {
    pub(super) fn new(output: Output, verbosity: u8) -> Self {
        Self { output, verbosity }
    }

    fn line(&mut self, event: &impl Serialize, at: Moment) {
        let time = at.time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        // Events are texts and numbers, which can always be written.
        if let Ok(line) = serde_json::to_string(&Line { time, event }) {
            self.output.line(&line);
        }
    }
}

impl View for Json {
    fn event(&mut self, event: &Event, _run: &Run, at: Moment) {
        let needed = match event {
            Event::Script { .. } => 2,
            Event::Output { .. } => 1,
            _ => 0,
        };
        if self.verbosity >= needed {
            self.line(event, at);
        }
    }

    fn end(&mut self, run: &Run, at: Moment) {
        if run.has_begun() {
            let exit_code = exit::of(run) as u8;
            let closing = Closing {
                command: &run.command,
                exit_code,
                changes: run.changes(),
                log_file: run.log.as_deref(),
            };
            self.line(&closing, at);
        }
    }
}
