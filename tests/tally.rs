//! How `make test` counts what ran: a skipped test is not a passed one, and a program that died is a failure.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;
use std::process::{Command, Output};

#[path = "support/skip.rs"]
mod skip;

const UNIT: &str = "     Running unittests src/lib.rs (target/debug/deps/ci_bootstrap-1)
test result: ok. 40 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s
     Running tests/cli.rs (target/debug/deps/cli-1)
test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s
";
const FAULTS: &str = "faults:      Running tests/faults.rs (target/debug/deps/faults-1)
faults: test faults: kills ... ok (12s)
faults: test faults: passwords ... ok (350ms)
faults: test a_run_meets_faults ... ok
faults: test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 13.00s
";

/// Counts these logs and records, with the names that may be skipped.
fn tally(logs: &[(&str, &str)], skipped: &str, allowed: Option<&str>, failed: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let records = directory.path().join("skipped");
    fs_err::write(&records, skipped).unwrap();
    for (name, text) in logs {
        fs_err::write(directory.path().join(name), text).unwrap();
    }
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tally.sh"));
    command
        .arg(failed)
        .env("SKIPPED", records)
        .env_remove("SKIPS_ALLOWED");
    if let Some(allowed) = allowed {
        let file = directory.path().join("allowed");
        fs_err::write(&file, allowed).unwrap();
        command.env("SKIPS_ALLOWED", file);
    }
    command.output().unwrap()
}

fn lines(output: &Output) -> Vec<&str> {
    std::str::from_utf8(&output.stdout).unwrap().lines().collect()
}

#[test]
fn cases_count_and_not_the_test_around_them() {
    let output = tally(&[("unit.log", UNIT), ("faults.log", FAULTS)], "", None, "");
    assert_eq!(lines(&output), ["47 passed, 0 failed, 0 skipped"]);
    assert!(output.status.success());
}

#[test]
fn a_skipped_test_is_not_a_passed_one() {
    let vm = "vm:      Running tests/vm.rs (target/debug/deps/vm-1)
vm: test vm ... skipped: no tun
vm: test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
";
    let skipped = "vm\tvm\tno tun\nfaults\tfaults: pulls\tpart of a rehearsal\n";
    let logs = [("vm.log", vm), ("faults.log", FAULTS)];
    let output = tally(&logs, skipped, None, "");
    let expected = [
        "skipped: vm: no tun",
        "skipped: faults: pulls: part of a rehearsal",
        "2 passed, 0 failed, 2 skipped",
    ];
    assert_eq!(lines(&output), expected);
    assert!(output.status.success());
}

/// By a process of its own, whose environment names the records.
#[test]
fn what_is_skipped_is_recorded() {
    if std::env::var_os("SKIPS_ONE").is_some() {
        return skip::skipped("vm: a reboot", "no tun:\nsee above");
    }
    let directory = tempfile::tempdir().unwrap();
    let records = directory.path().join("skipped");
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "what_is_skipped_is_recorded"])
        .env("SKIPS_ONE", "yes")
        .env("SKIPPED", &records)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "test vm: a reboot ... skipped: no tun: see above\n");
    assert_eq!(
        fs_err::read_to_string(records).unwrap(),
        "tally\tvm: a reboot\tno tun: see above\n"
    );
}

#[test]
fn only_what_is_named_may_be_skipped() {
    let skipped = "faults\tfaults: pulls\tpart of a rehearsal\n";
    let allowed = tally(
        &[("faults.log", FAULTS)],
        skipped,
        Some("# comment\nfaults: pulls\ttoo long\n"),
        "",
    );
    assert!(allowed.status.success());
    let other = tally(
        &[("faults.log", FAULTS)],
        skipped,
        Some("faults: pull\ttoo long\n"),
        "",
    );
    assert!(!other.status.success());
    assert_eq!(lines(&other).last(), Some(&"2 passed, 1 failed, 1 skipped"));
}

#[test]
fn an_ignored_test_is_a_skipped_one() {
    let unit = UNIT.replace(
        "test result: ok. 5 passed; 0 failed; 0 ignored",
        "test api::pods ... ignored, needs a cluster\ntest result: ok. 4 passed; 0 failed; 1 ignored",
    );
    let output = tally(&[("unit.log", &unit)], "", Some("api::pods\tlong\n"), "");
    let expected = [
        "skipped: api::pods: needs a cluster",
        "44 passed, 0 failed, 1 skipped",
    ];
    assert_eq!(lines(&output), expected);
    assert!(output.status.success());
    let output = tally(&[("unit.log", &unit)], "", Some(""), "");
    assert!(!output.status.success());
}

#[test]
fn a_failed_case_counts_once() {
    let failed = FAULTS
        .replace("kills ... ok (12s)", "kills ... FAILED (12s)")
        .replace(
            "test result: ok. 1 passed; 0 failed",
            "test result: FAILED. 0 passed; 1 failed",
        );
    let output = tally(&[("faults.log", &failed)], "", None, "yes");
    assert!(!output.status.success());
    assert_eq!(lines(&output).last(), Some(&"1 passed, 1 failed, 0 skipped"));
}

#[test]
fn a_program_that_died_has_failed() {
    let died: String = UNIT.lines().take(3).map(|line| format!("{line}\n")).collect();
    let output = tally(&[("unit.log", &died)], "", None, "");
    assert_eq!(lines(&output).last(), Some(&"40 passed, 1 failed, 0 skipped"));
    assert!(!output.status.success());
}

#[test]
fn a_failure_of_what_is_no_test_is_counted() {
    let output = tally(&[("unit.log", UNIT)], "", None, "yes");
    assert_eq!(lines(&output).last(), Some(&"45 passed, 1 failed, 0 skipped"));
    assert!(!output.status.success());
}
