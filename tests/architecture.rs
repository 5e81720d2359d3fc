//! The table of modules in `docs/architecture.md`, held against the code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Each module with those that it may name besides itself. A new arrow is a decision: it goes here and into the document.
const MAY_NAME: &[(&str, &[&str])] = &[
    (
        "apply",
        &[
            "cluster_api",
            "event",
            "fleet",
            "observe",
            "plan",
            "resource",
            "transport",
        ],
    ),
    (
        "cli",
        &[
            "apply",
            "cluster_api",
            "diagnostic",
            "event",
            "fleet",
            "inventory",
            "model",
            "plan",
            "playbook",
            "report",
            "secret",
            "ssh",
            "template",
            "transport",
            "yaml",
        ],
    ),
    ("cluster_api", &["model", "transport", "yaml"]),
    ("cluster_resource", &["cluster_api", "model", "resource", "yaml"]),
    ("diagnostic", &[]),
    ("event", &[]),
    ("fleet", &["transport"]),
    ("inventory", &["diagnostic", "secret", "yaml"]),
    ("lib", &[]),
    ("main", &[]),
    ("model", &["diagnostic", "inventory", "secret", "yaml"]),
    ("observe", &["plan", "playbook", "resource"]),
    (
        "plan",
        &["cluster_resource", "model", "playbook", "resource", "template"],
    ),
    ("playbook", &["yaml"]),
    ("report", &["event"]),
    ("resource", &[]),
    ("secret", &[]),
    ("ssh", &["transport"]),
    ("template", &[]),
    ("transport", &[]),
    ("yaml", &["diagnostic"]),
];

/// Libraries that one module alone may name, so that replacing one is a change in one place.
const OWNED: &[(&str, &str)] = &[
    ("russh", "ssh"),
    ("kube", "cluster_api"),
    ("minijinja", "template"),
    ("serde_saphyr", "yaml"),
    ("indicatif", "report"),
    ("annotate_snippets", "diagnostic"),
    ("anyhow", "cli"),
    ("clap", "cli"),
];

/// Longest source file, tests included.
const LONGEST: usize = 450;

#[test]
fn modules_name_only_those_below_them() {
    let table: BTreeMap<_, BTreeSet<_>> = MAY_NAME
        .iter()
        .map(|(module, names)| (*module, names.iter().copied().collect()))
        .collect();
    let mut wrong = Vec::new();
    for (path, module, code) in sources() {
        let Some(allowed) = table.get(module.as_str()) else {
            wrong.push(format!(
                "{}: module `{module}` is not in the table",
                path.display()
            ));
            continue;
        };
        for name in named(&code) {
            if name != module && table.contains_key(name.as_str()) && !allowed.contains(name.as_str()) {
                wrong.push(format!("{}: `{module}` may not name `{name}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn libraries_have_one_owner() {
    let mut wrong = Vec::new();
    for (path, module, code) in sources() {
        for (library, owner) in OWNED {
            if module != *owner && code.contains(&format!("{library}::")) {
                wrong.push(format!("{}: only `{owner}` may name {library}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_small() {
    let long = sources().into_iter().filter_map(|(path, _, _)| {
        let lines = fs_err::read_to_string(&path).ok()?.lines().count();
        (lines > LONGEST).then(|| format!("{}: {lines} lines", path.display()))
    });
    let long: Vec<_> = long.collect();
    assert!(
        long.is_empty(),
        "split these, one noun each:\n{}",
        long.join("\n")
    );
}

#[test]
fn the_document_has_the_same_modules() {
    let document = fs_err::read_to_string("docs/architecture.md").unwrap_or_default();
    let missing = MAY_NAME
        .iter()
        .map(|(module, _)| *module)
        .filter(|module| *module != "lib");
    let missing: Vec<_> = missing
        .filter(|module| !document.contains(&format!("| `{module}")))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/architecture.md does not tell of {missing:?}"
    );
}

/// Every source file with its top-level module and its code without unit tests.
fn sources() -> Vec<(PathBuf, String, String)> {
    let mut found = Vec::new();
    walk(Path::new("src"), &mut found);
    assert!(
        found.len() > 50,
        "{} files are not the whole program",
        found.len()
    );
    found
}

fn walk(folder: &Path, found: &mut Vec<(PathBuf, String, String)>) {
    for entry in fs_err::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
            let below = path.strip_prefix("src").unwrap_or(&path);
            let module = below
                .iter()
                .next()
                .unwrap_or_default()
                .to_string_lossy()
                .trim_end_matches(".rs")
                .to_owned();
            let text = fs_err::read_to_string(&path).unwrap_or_default();
            let code = text
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or_default()
                .to_owned();
            found.push((path, module, code));
        }
    }
}

fn is_test(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name == "tests.rs" || name == "made_up.rs")
}

/// The modules that follow `crate::`, alone or in braces.
fn named(code: &str) -> BTreeSet<String> {
    let word = |text: &str| {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        if let Some(list) = rest.strip_prefix('{') {
            names.extend(
                list.split('}')
                    .next()
                    .unwrap_or_default()
                    .split(',')
                    .map(|part| word(part.trim())),
            );
        } else {
            names.insert(word(rest));
        }
    }
    names
}
