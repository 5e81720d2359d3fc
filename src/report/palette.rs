//! Colours, which only ever repeat what the words say.

use anstream::AutoStream;
use anstream::stream::RawStream;
use console::Style;

/// The styles in use; none of them does anything without colour.
#[derive(Debug, Clone)]
pub(super) struct Palette {
    pub(super) good: Style,
    pub(super) change: Style,
    pub(super) bad: Style,
    pub(super) quiet: Style,
    pub(super) strong: Style,
}

impl Palette {
    /// The palette for a stream: as the process's global choice says, else as the terminal, `NO_COLOR`, `CLICOLOR` and
    /// `CLICOLOR_FORCE` do.
    pub(super) fn from_stream(stream: &impl RawStream) -> Self {
        Self::with(AutoStream::choice(stream) != anstream::ColorChoice::Never)
    }

    pub(super) fn with(is_coloured: bool) -> Self {
        let style = || Style::new().force_styling(is_coloured);
        Self {
            good: style().green(),
            change: style().yellow(),
            bad: style().red().bold(),
            quiet: style().dim(),
            strong: style().bold(),
        }
    }

    /// A line of a diff, coloured by its sign.
    pub(super) fn diff(&self, line: &str) -> String {
        match line.chars().next() {
            Some('+') => self.good.apply_to(line).to_string(),
            Some('-') => self.bad.apply_to(line).to_string(),
            _ => line.to_owned(),
        }
    }
}
