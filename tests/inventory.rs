//! Whatever an inventory says, the program answers: no panic, and a place for every problem.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;

use ci_bootstrap::diagnostic::{Colour, Source, render};
use ci_bootstrap::{inventory, model, yaml};
use proptest::prelude::*;
use serde_json::Value;

const EXAMPLE: &str = include_str!("../inventory.example.yaml");

/// Reads, checks and shows; the result is what a user would see.
fn answer(text: &str) -> Result<String, String> {
    let source = Source {
        name: "inventory.yaml".to_owned(),
        text: text.to_owned(),
    };
    let document = inventory::parse(source, Path::new("/nowhere"));
    match model::validate(&document) {
        Ok(valid) => Ok(serde_json::to_string(&valid.cluster).unwrap()),
        Err(problems) => Err(render(&problems, &document.source, Colour::Never)),
    }
}

/// Pieces that mean something to a YAML parser or to the inventory.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ":",
            ": ",
            "- ",
            "\n",
            "\n  ",
            "&a ",
            "*a",
            "<<: ",
            "!!str ",
            "~",
            "null",
            "0",
            "-1",
            "1e9",
            "99999999999999999999",
            "true",
            "\"",
            "'",
            "#",
            "|\n",
            "ä",
            "\u{0}",
            "::",
            "fd00::/8",
            "0.0.0.0/0",
            "10.0.0.0/33",
            "hosts",
            "cluster",
            "roles: []",
            "[control-plane]",
            "name: x",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,8}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_has_an_answer(pieces in proptest::collection::vec(piece(), 0..40)) {
        let _ = answer(&pieces.concat());
    }

    #[test]
    fn a_damaged_inventory_has_an_answer(at in 0..EXAMPLE.len(), cut in 0..60_usize, pieces in proptest::collection::vec(piece(), 0..4)) {
        let boundary = |byte: usize| (byte..=EXAMPLE.len()).find(|byte| EXAMPLE.is_char_boundary(*byte)).unwrap();
        let (start, end) = (boundary(at), boundary((at + cut).min(EXAMPLE.len())));
        let damaged = format!("{}{}{}", &EXAMPLE[..start], pieces.concat(), &EXAMPLE[end..]);
        if let Err(shown) = answer(&damaged) {
            prop_assert!(shown.contains("error["), "{shown}");
        }
    }

    #[test]
    fn what_is_emitted_reads_back_unchanged(value in json()) {
        let text = yaml::emit(&value).unwrap();
        let objects = yaml::manifests(&text).unwrap();
        prop_assert_eq!(objects, [value], "{}", text);
    }
}

/// Objects as Kubernetes has them, with strings that YAML could mistake for something else.
fn json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        proptest::sample::select(vec![
            "yes",
            "no",
            "on",
            "0644",
            "1.30",
            "~",
            "null",
            "",
            " ",
            "a: b",
            "- x",
            "#",
            "1e3",
            "0x1",
            "a\nb\n",
            "\ta",
            "|",
            "=",
            "<<",
            "12:30",
            "2024-01-01"
        ])
        .prop_map(str::to_owned),
        "\\PC{0,12}",
    ];
    let leaf = prop_oneof![
        text.clone().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((text.clone(), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    });
    value.prop_map(|value| serde_json::json!({ "kind": "Test", "value": value }))
}
