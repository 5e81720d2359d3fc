//! `docs/security.md` names tests that exist: a promise whose test was renamed or deleted fails here.

use std::path::Path;

use super::root;

/// The names in the second column of the tables of promises: functions as code, cases of the lab in quotation marks.
fn named(page: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_promise = false;
    for line in page.lines() {
        is_promise = line.starts_with('|') && (is_promise || line == "| promise | tests |");
        if is_promise && let Some(tests) = line.trim_end_matches(" |").rsplit(" | ").next() {
            let quoted = tests.split(['`', '"']).skip(1).step_by(2);
            names.extend(quoted.map(str::to_owned));
        }
    }
    names
}

/// All Rust text below a folder.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs_err::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_promise_of_the_page_has_a_test() {
    let page = fs_err::read_to_string(root().join("docs/security.md")).unwrap();
    let names = named(&page);
    assert!(names.len() > 40, "{names:?}");
    let mut text = String::new();
    for folder in ["src", "tests"] {
        sources(&root().join(folder), &mut text);
    }
    let exists = |name: &str| text.contains(&format!("fn {name}(")) || text.contains(&format!("\"{name}\""));
    let missing: Vec<_> = names.iter().filter(|name| !exists(name)).collect();
    assert!(
        missing.is_empty(),
        "docs/security.md names tests that do not exist: {missing:?}"
    );
}
