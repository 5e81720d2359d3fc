//! Committed files that a test makes again and compares.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test panics")]

use std::path::Path;

/// Fails with the difference unless the file holds this text; with `UPDATE_EXPECTED` set, writes it first.
pub(crate) fn expect(file: &Path, text: &str) {
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs_err::write(file, text).unwrap();
    }
    let expected = fs_err::read_to_string(file).unwrap_or_default();
    if expected != text {
        let difference = similar::TextDiff::from_lines(expected.as_str(), text);
        panic!(
            "{} is out of date (UPDATE_EXPECTED=1 writes it):\n{}",
            file.display(),
            difference.unified_diff()
        );
    }
}
