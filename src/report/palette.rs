//! Colours, which only ever repeat what the words say.

use std::io::IsTerminal;

use anstream::AutoStream;
use anstream::stream::RawStream;
use console::Style;

use super::Colour;

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
    /// The palette for a stream.
    pub(super) fn new(colour: Colour, stream: &(impl RawStream + IsTerminal)) -> Self {
        Self::with(match colour {
            Colour::Auto => AutoStream::choice(stream) != anstream::ColorChoice::Never,
            Colour::Always => true,
            Colour::Never => false,
        })
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
