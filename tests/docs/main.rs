//! The generated documents are those that are committed, and the example is valid.
//!
//! `UPDATE_EXPECTED=1 cargo test --test docs` writes them.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::{Path, PathBuf};

use ci_bootstrap::diagnostic::{Colour, render};
use ci_bootstrap::{inventory, model, yaml};
use serde_json::Value;

mod diagnostics;
mod examples;
mod links;
mod reference;
mod security;

#[path = "../support/expect.rs"]
mod expect;
use expect::expect;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn schema() -> Value {
    serde_json::to_value(inventory::schema()).unwrap()
}

/// What the schema has against an inventory.
fn against_schema(text: &str) -> Vec<String> {
    let instance = yaml::read::<Value>(text).value.unwrap();
    let validator = jsonschema::validator_for(&schema()).unwrap();
    validator
        .iter_errors(&instance)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect()
}

#[test]
fn the_schema_is_up_to_date() {
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    expect(&root().join("docs/inventory.schema.json"), &text);
}

#[test]
fn the_reference_is_up_to_date() {
    expect(&root().join("docs/inventory.md"), &reference::markdown(&schema()));
}

#[test]
fn every_link_of_the_reference_leads_to_a_heading() {
    let text = reference::markdown(&schema());
    let headings = text.lines().filter_map(|line| line.strip_prefix("## "));
    let anchors: Vec<String> = headings.map(reference::anchor).collect();
    for link in text
        .split("](#")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
    {
        assert!(
            anchors.iter().any(|anchor| anchor == link),
            "no heading for #{link}"
        );
    }
}

#[test]
fn the_diagnostics_are_up_to_date() {
    expect(
        &root().join("docs/diagnostics.md"),
        &diagnostics::markdown(&root().join("tests/diagnostics")),
    );
}

#[test]
fn the_example_is_valid() {
    let document = inventory::read(&root().join("inventory.example.yaml")).unwrap();
    let valid =
        model::validate(&document).map_err(|problems| render(&problems, &document.source, Colour::Never));
    assert_eq!(valid.unwrap().warnings, []);
    assert_eq!(against_schema(&document.source.text), Vec::<String>::new());
    assert!(
        document
            .source
            .text
            .contains("# yaml-language-server: $schema=docs/inventory.schema.json")
    );
}

#[test]
fn the_schema_sees_what_the_program_sees() {
    let directory = root().join("tests/diagnostics");
    let of_form = [
        "yaml/bad-value",
        "yaml/missing-key",
        "yaml/unknown-key",
        "yaml/wrong-type",
    ];
    for name in of_form
        .into_iter()
        .chain(["inventory/bad-name", "inventory/bad-version"])
    {
        let text = fs_err::read_to_string(directory.join(name).with_extension("yaml")).unwrap();
        assert!(!against_schema(&text).is_empty(), "{name}");
    }
}
