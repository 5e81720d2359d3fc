//! Tests and cases that are not run: told at once, and recorded where `make test` counts them.

#![expect(
    clippy::panic,
    reason = "a test that is skipped in silence would count as passed"
)]

use std::io::Write as _;

/// Tells that a test (`vm`) or a case (`vm: a reboot`) is not run, and why. `SKIPPED` names the file of records: a line each, of the
/// test's file, the name and the reason, split by tabs.
pub(crate) fn skipped(name: &str, why: &str) {
    let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
    // What is printed by macros shows only when a test has failed.
    let _ = writeln!(std::io::stderr(), "test {name} ... skipped: {why}");
    let Some(path) = std::env::var_os("SKIPPED") else {
        return;
    };
    let record = format!("{}\t{name}\t{why}\n", env!("CARGO_CRATE_NAME"));
    let file = fs_err::OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(record.as_bytes()))
        .unwrap_or_else(|error| panic!("a skipped test can't be recorded: {error}"));
}
