//! What commands print. Every text passes here, for any of it may come from a host, a registry or a file of somebody else.

use std::fmt::Arguments;
use std::io::{self, Write};

use crate::report::printable;
use crate::secret::Redactor;

/// Standard output or standard error, for `write!` and `writeln!`.
pub(super) struct Screen(Box<dyn Write>);

/// Standard output.
pub(super) fn stdout() -> Screen {
    Screen(Box::new(anstream::stdout()))
}

/// Standard error.
pub(super) fn stderr() -> Screen {
    Screen(Box::new(anstream::stderr()))
}

impl Screen {
    /// Prints a text with its secrets masked and without anything that could steer a terminal.
    pub(super) fn write_fmt(&mut self, text: Arguments<'_>) -> io::Result<()> {
        self.0.write_all(shown(&text.to_string()).as_bytes())?;
        self.0.flush()
    }
}

/// The text as it may be shown.
pub(super) fn shown(text: &str) -> String {
    let redactor = Redactor::process();
    // Masked twice: what is not printable may belong to a secret, or stand in the midst of one.
    redactor.redact(&printable(&redactor.redact(text))).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_printed_steers_a_terminal_or_tells_a_secret() {
        Redactor::process().learn(&"screen-secret".into());
        let text = "w1: \u{1b}]0;PWNED\u{7}\u{1b}[2Jv1.36 \u{9b}31m screen-\u{1b}[1msecret\u{202e}\n  next";
        assert_eq!(shown(text), "w1: v1.36  (secret)\n  next");
    }
}
