//! Every code of a problem has an example that shows it: `tests/diagnostics/AREA/NAME.yaml` and beside it what is printed.
//!
//! `UPDATE_EXPECTED=1 cargo test --test diagnostics` writes what is printed now; read the difference before you commit it.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ci_bootstrap::diagnostic::{Code, Colour, Diagnostic, Source, render};
use ci_bootstrap::{inventory, model, yaml};

#[path = "support/expect.rs"]
mod expect;
use expect::expect;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics")
}

fn codes() -> impl Iterator<Item = &'static Code> {
    yaml::code::ALL.iter().chain(model::code::ALL).copied()
}

/// `AREA/NAME` of a code.
fn path(code: &Code) -> String {
    code.name.replace("::", "/")
}

fn problems(example: &Path) -> (Vec<Diagnostic>, Source) {
    let source = Source {
        name: example.file_name().unwrap().to_string_lossy().into_owned(),
        text: fs_err::read_to_string(example).unwrap(),
    };
    let document = inventory::parse(source, example.parent().unwrap());
    let problems = match model::validate(&document) {
        Ok(valid) => {
            let day = jiff::civil::date(2026, 11, 30);
            [valid.warnings, model::support_warnings(&document, day)].concat()
        }
        Err(problems) => problems,
    };
    (problems, document.source)
}

#[test]
fn every_code_is_shown_by_its_example() {
    for code in codes() {
        let example = directory().join(path(code) + ".yaml");
        let (problems, source) = problems(&example);
        let found: BTreeSet<&str> = problems.iter().map(|problem| problem.code.name).collect();
        assert_eq!(found, BTreeSet::from([code.name]), "{}", example.display());
        let directory = example.parent().unwrap().display().to_string();
        let printed = render(&problems, &source, Colour::Never).replace(&directory, "(here)");
        expect(&example.with_extension("txt"), &printed);
    }
}

#[test]
fn every_problem_has_a_place_and_every_example_a_code() {
    let known: BTreeSet<String> = codes().map(path).collect();
    for area in ["yaml", "inventory"] {
        for file in fs_err::read_dir(directory().join(area)).unwrap() {
            let file = file.unwrap().path();
            let name = format!("{area}/{}", file.file_stem().unwrap().to_string_lossy());
            assert!(
                known.contains(&name),
                "{} is the example of no code",
                file.display()
            );
            if file.extension().unwrap() == "yaml" {
                let (problems, _) = problems(&file);
                assert!(
                    problems.iter().all(|problem| !problem.labels.is_empty()),
                    "{name} has a problem without a place"
                );
            }
        }
    }
}

#[test]
fn codes_are_unique() {
    let mut seen = BTreeSet::new();
    for code in codes() {
        assert!(seen.insert(code.name), "{} stands twice", code.name);
    }
}
