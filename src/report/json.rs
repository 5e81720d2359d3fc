//! One JSON object per line, for machines.

use serde::Serialize;

use crate::event::Event;

use super::output::OutputWriter;
use super::run::RunProgress;
use super::{EventTime, View, exit};

/// Writes each event as `{"time": …, "event": …, …}` and a last line `{"event": "report"}`.
pub(super) struct JsonView {
    output: OutputWriter,
    verbosity: u8,
}

#[derive(Serialize)]
struct JsonLine<'a, T> {
    time: String,
    #[serde(flatten)]
    event: &'a T,
}

/// What only the end of a run can say.
#[derive(Serialize)]
#[serde(tag = "event", rename = "report", rename_all = "camelCase")]
struct JsonClosing<'a> {
    command: &'a str,
    exit_code: u8,
    changes: usize,
    log_file: Option<&'a std::path::Path>,
}

impl JsonView {
    pub(super) fn new(output: OutputWriter, verbosity: u8) -> Self {
        Self { output, verbosity }
    }

    fn line(&mut self, event: &impl Serialize, at: EventTime) {
        let time = at.time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        // Events are texts and numbers, which can always be written.
        if let Ok(line) = serde_json::to_string(&JsonLine { time, event }) {
            self.output.line(&line);
        }
    }
}

impl View for JsonView {
    fn event(&mut self, event: &Event, _run: &RunProgress, at: EventTime) {
        let needed = match event {
            Event::Script { .. } => 2,
            Event::Output { .. } => 1,
            _ => 0,
        };
        if self.verbosity >= needed {
            self.line(event, at);
        }
    }

    fn end(&mut self, run: &RunProgress, at: EventTime) {
        if run.has_begun() {
            let exit_code = exit::of(run) as u8;
            let closing = JsonClosing {
                command: &run.command,
                exit_code,
                changes: run.changes(),
                log_file: run.log.as_deref(),
            };
            self.line(&closing, at);
        }
    }
}
