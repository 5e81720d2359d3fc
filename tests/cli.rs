//! The command line as users see it: `docs/cli.md` is what `--help` says, and shells complete it.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Output};

#[path = "support/expect.rs"]
mod expect;
use expect::expect;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cli.md");

fn ci_bootstrap(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ci-bootstrap"))
        .args(arguments)
        .env("COLUMNS", "100")
        .output()
        .unwrap()
}

fn help(arguments: &[&str]) -> String {
    let output = ci_bootstrap(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

/// The commands that the program's help lists.
fn commands(help: &str) -> Vec<String> {
    let listed = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    // Lines further in continue a description.
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().map(str::to_owned));
    names.filter(|name| !name.is_empty() && name != "help").collect()
}

#[test]
fn the_document_is_what_help_says() {
    let overview = help(&["--help"]);
    let mut document = format!(
        "# Commands\n\nWhat `ci-bootstrap --help` and `--help` of each command say. A test compares this file with \
         the program; `UPDATE_EXPECTED=1 cargo test --test cli` writes it.\n\n```\n{overview}```\n"
    );
    let commands = commands(&overview);
    assert!(commands.len() > 3, "{commands:?}");
    for command in commands {
        let text = help(&[&command, "--help"]);
        assert!(text.contains("Example"), "the help of {command} shows no example");
        write!(document, "\n## {command}\n\n```\n{text}```\n").unwrap();
    }
    expect(Path::new(DOCUMENT), &document);
}

#[test]
fn shells_complete_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = help(&["completions", shell]);
        for command in commands(&help(&["--help"])) {
            assert!(script.contains(&command), "{shell} doesn't know {command}");
        }
    }
    let output = Command::new("bash")
        .arg("-n")
        .arg("/dev/stdin")
        .stdin(script_of("bash"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// The completion script, as a file to read from.
fn script_of(shell: &str) -> std::fs::File {
    use std::io::{Seek, Write};
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&ci_bootstrap(&["completions", shell]).stdout)
        .unwrap();
    file.rewind().unwrap();
    file
}

#[test]
fn a_wrong_command_line_is_told_apart_from_a_failure() {
    let output = ci_bootstrap(&["aply", "inventory.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("aply"),
        "{output:?}"
    );
}
