//! `check`, `init` and `schema` as a user sees them.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn run(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ci-bootstrap"))
        .current_dir(directory)
        // 2026-11-30: what is supported depends on the day.
        .env("SOURCE_DATE_EPOCH", "1795996800")
        .args(arguments)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_first_inventory_is_valid_and_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let init = run(
        directory.path(),
        &["init", "--user", "admin", "10.0.0.11", "10.0.0.12", "10.0.0.13"],
    );
    assert_eq!(init.status.code(), Some(0), "{}", stderr(&init));
    let check = run(directory.path(), &["check"]);
    assert_eq!(
        stdout(&check),
        "inventory.yaml: 3 hosts (1 control plane, 2 workers, 1 NFS server), Kubernetes 1.36.5, no problems\n"
    );
    assert_eq!((check.status.code(), stderr(&check).as_str()), (Some(0), ""));

    let again = run(directory.path(), &["init", "10.0.0.14"]);
    assert_eq!(again.status.code(), Some(2));
    assert_eq!(
        stderr(&again),
        "error: inventory.yaml exists already; name another file with --output\n"
    );
}

#[test]
fn problems_are_shown_and_end_with_2() {
    let directory = tempfile::tempdir().unwrap();
    let text = "apiVersion: ci-bootstrap/v1\ncluster: { name: CI, kubernetes: 1.30.2 }\nssh: { user: admin }\nhosts: []\n";
    fs_err::write(directory.path().join("inventory.yaml"), text).unwrap();
    let check = run(directory.path(), &["check", "inventory.yaml"]);
    assert_eq!(check.status.code(), Some(2));
    assert_eq!(stdout(&check), "");
    let shown = stderr(&check);
    for code in [
        "inventory::bad-name",
        "inventory::unsupported-kubernetes",
        "inventory::no-hosts",
    ] {
        assert!(shown.contains(&format!("error[{code}]")), "{shown}");
    }
    assert!(shown.ends_with("error: inventory.yaml: 3 problems\n"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "no colours without a terminal");
    let coloured = run(
        directory.path(),
        &["check", "--color", "always", "inventory.yaml"],
    );
    assert!(stderr(&coloured).contains('\u{1b}'));
}

#[test]
fn json_says_where_problems_are() {
    let directory = tempfile::tempdir().unwrap();
    let text = "apiVersion: ci-bootstrap/v1\ncluster:\n  # ä\n  name: CI\n  kubernetes: 1.36.4\nssh: { user: admin }\nhosts:\n  - { name: cp1, address: 10.0.0.11, roles: [control-plane] }\n";
    fs_err::write(directory.path().join("inventory.yaml"), text).unwrap();
    let check = run(directory.path(), &["check", "--json"]);
    assert_eq!(check.status.code(), Some(2));
    let result: Value = serde_json::from_str(&stdout(&check)).unwrap();
    assert_eq!(result["valid"], false);
    assert_eq!(result["problems"][0]["code"], "inventory::bad-name");
    let label = &result["problems"][0]["labels"][0];
    assert_eq!(
        (&label["line"], &label["column"], &label["endColumn"]),
        (&4.into(), &9.into(), &11.into())
    );
}

#[test]
fn a_missing_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let check = run(directory.path(), &["check", "nowhere.yaml"]);
    assert_eq!(check.status.code(), Some(2));
    assert!(stderr(&check).contains("nowhere.yaml"), "{}", stderr(&check));
}

#[test]
fn an_address_must_be_one() {
    let directory = tempfile::tempdir().unwrap();
    let init = run(directory.path(), &["init", "cp1.example"]);
    assert_eq!(init.status.code(), Some(2));
    for (address, said) in [
        ("127.0.0.1", "other hosts can't reach a host at 127.0.0.1"),
        ("10.0.0.11", "two hosts have the address 10.0.0.11"),
    ] {
        let init = run(directory.path(), &["init", "10.0.0.11", address]);
        assert_eq!(init.status.code(), Some(2));
        assert!(stderr(&init).contains(said), "{}", stderr(&init));
    }
    assert!(!directory.path().join("inventory.yaml").exists());
}

#[test]
fn the_schema_is_json() {
    let directory = tempfile::tempdir().unwrap();
    let schema: Value = serde_json::from_str(&stdout(&run(directory.path(), &["schema"]))).unwrap();
    assert_eq!(schema["title"], "Inventory");
}
