//! A stream of text that nobody has to read.

use std::io::Write;

/// Writes to a stream until that fails, and is silent from then on: `ci-bootstrap apply … | head` must not end the run.
pub(super) struct OutputWriter {
    writer: Option<Box<dyn Write + Send>>,
}

impl OutputWriter {
    pub(super) fn new(writer: Box<dyn Write + Send>) -> Self {
        Self { writer: Some(writer) }
    }

    /// Writes a line, at once.
    pub(super) fn line(&mut self, text: &str) {
        let Some(writer) = &mut self.writer else { return };
        if writeln!(writer, "{text}").and_then(|()| writer.flush()).is_err() {
            self.writer = None;
        }
    }
}
