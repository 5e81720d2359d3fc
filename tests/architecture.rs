//! Holds the code against docs/architecture.md: which module may name which, who owns which library, and how long a file may be.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Modules in an order in which each names only those before it, with those that it may name. `lib.rs` only lists them.
const MODULES: &[(&str, &[&str])] = &[
    ("bundle", &[]),
    ("diagnostic", &[]),
    ("event", &[]),
    ("resource", &[]),
    ("secret", &[]),
    ("transport", &[]),
    ("yaml", &["diagnostic"]),
    ("template", &["secret", "yaml"]),
    ("inventory", &["diagnostic", "secret", "yaml"]),
    ("model", &["diagnostic", "inventory", "secret", "yaml"]),
    ("harbor", &["transport"]),
    ("jenkins", &["transport"]),
    ("playbook", &["yaml"]),
    ("cluster_api", &["model", "secret", "transport", "yaml"]),
    (
        "cluster_resource",
        &[
            "cluster_api",
            "harbor",
            "jenkins",
            "model",
            "resource",
            "secret",
            "transport",
            "yaml",
        ],
    ),
    (
        "plan",
        &["cluster_resource", "model", "playbook", "resource", "template"],
    ),
    ("observe", &["plan", "playbook", "resource"]),
    ("ssh", &["transport"]),
    ("fleet", &["transport"]),
    (
        "preflight",
        &["event", "fleet", "inventory", "model", "resource", "transport"],
    ),
    ("recovery", &["bundle", "resource", "transport"]),
    (
        "apply",
        &[
            "bundle",
            "cluster_api",
            "cluster_resource",
            "event",
            "fleet",
            "observe",
            "plan",
            "recovery",
            "resource",
            "secret",
            "transport",
        ],
    ),
    (
        "verify",
        &[
            "apply",
            "cluster_api",
            "cluster_resource",
            "event",
            "fleet",
            "jenkins",
            "model",
            "resource",
            "transport",
            "yaml",
        ],
    ),
    ("report", &["event"]),
    ("cli", EVERYTHING_BEFORE),
    ("main", &[]),
];
/// The command line ties everything together.
const EVERYTHING_BEFORE: &[&str] = &["*"];

/// Libraries that only one module may name, so that each can be exchanged in one place.
const OWNERS: &[(&str, &str)] = &[
    ("age", "bundle"),
    ("annotate_snippets", "diagnostic"),
    ("anyhow", "cli"),
    ("clap", "cli"),
    ("clap_mangen", "cli"),
    ("indicatif", "report"),
    ("kube", "cluster_api"),
    ("minijinja", "template"),
    ("regex", "jenkins"),
    ("roxmltree", "jenkins"),
    ("russh", "ssh"),
    ("rustls", "transport"),
    ("serde_saphyr", "yaml"),
    ("ssh_key", "bundle"),
];

/// A file with more lines is about more than one thing.
const LONGEST: usize = 400;

/// A source file, with its tests cut off: they may put together what the program keeps apart.
struct File {
    path: PathBuf,
    module: String,
    code: String,
    lines: usize,
}

fn files() -> Vec<File> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&source, &mut paths);
    let only_for_tests: BTreeSet<_> = paths.iter().flat_map(|path| test_modules(path)).collect();
    // What such a module declares is for tests, too.
    let is_for_tests = |path: &Path| {
        let module = path.with_extension("");
        only_for_tests.iter().any(|tests| module.starts_with(tests))
    };
    paths.retain(|path| !is_for_tests(path));
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs_err::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let path = path.strip_prefix(&source).unwrap().to_owned();
            let first = Path::new(path.components().next().unwrap().as_os_str());
            File {
                module: first.file_stem().unwrap().to_str().unwrap().to_owned(),
                code: without_comments(code),
                lines: text.lines().count(),
                path,
            }
        })
        .collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// Files that `path` declares for tests only, without their extension.
fn test_modules(path: &Path) -> Vec<PathBuf> {
    let text = fs_err::read_to_string(path).unwrap();
    let folder = if path.file_name().is_some_and(|name| name == "mod.rs") {
        path.with_file_name("")
    } else {
        path.with_extension("")
    };
    let declared = text.split("#[cfg(test)]\n").skip(1);
    declared
        .filter_map(|rest| rest.lines().next()?.trim().strip_suffix(';')?.rsplit_once("mod "))
        .map(|(_, name)| folder.join(name))
        .collect()
}

fn without_comments(code: &str) -> String {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// The modules that code names after `crate::`, also in a list: `crate::{a::B, c}`.
fn named(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(list) => found.extend(heads(list)),
            None => found.extend(word(rest)),
        }
    }
    found
}

/// The first word of each entry of a list, up to the brace that closes it.
fn heads(list: &str) -> Vec<String> {
    let (mut depth, mut entry, mut found) = (1, String::new(), Vec::new());
    for character in list.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => found.extend(word(&std::mem::take(&mut entry))),
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if character != ',' || depth > 1 {
            entry.push(character);
        }
    }
    found.extend(word(&entry));
    found
}

fn word(text: &str) -> Option<String> {
    let end = text
        .trim_start()
        .find(|character: char| !(character.is_alphanumeric() || character == '_'))
        .unwrap_or(text.trim_start().len());
    Some(text.trim_start()[..end].to_owned()).filter(|word| !word.is_empty())
}

/// Whether code names this library: the word, followed by a path.
fn uses(code: &str, library: &str) -> bool {
    code.match_indices(&format!("{library}::")).any(|(at, _)| {
        !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':')
    })
}

#[test]
fn the_table_knows_every_module_and_has_no_cycle() {
    let known: BTreeSet<_> = MODULES.iter().map(|(module, _)| (*module).to_owned()).collect();
    let mut present: BTreeSet<_> = files().into_iter().map(|file| file.module).collect();
    present.remove("lib");
    assert_eq!(
        present, known,
        "modules in src/ (left), and in this test's table (right)"
    );
    for (index, (module, allowed)) in MODULES.iter().enumerate() {
        let before: Vec<_> = MODULES[..index].iter().map(|(name, _)| *name).collect();
        for name in allowed.iter().filter(|name| **name != "*") {
            assert!(
                before.contains(name),
                "{module} may name {name}, which does not come before it"
            );
        }
    }
}

#[test]
fn modules_name_only_those_they_may() {
    let table: BTreeMap<_, _> = MODULES.iter().copied().collect();
    let mut wrong = Vec::new();
    for file in files() {
        let Some(allowed) = table.get(file.module.as_str()) else {
            continue;
        };
        for name in named(&file.code) {
            let fine =
                name == file.module || *allowed == EVERYTHING_BEFORE || allowed.contains(&name.as_str());
            if table.contains_key(name.as_str()) && !fine {
                wrong.push(format!("src/{} names crate::{name}", file.path.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0], "see the table of modules in docs/architecture.md");
}

#[test]
fn each_library_has_one_owner() {
    let mut wrong = Vec::new();
    for file in files() {
        for (library, owner) in OWNERS {
            if file.module != *owner && uses(&file.code, library) {
                wrong.push(format!(
                    "src/{} names {library}, which {owner} owns",
                    file.path.display()
                ));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<_> = files().into_iter().filter(|file| file.lines > LONGEST).collect();
    let names: Vec<_> = long
        .iter()
        .map(|file| format!("{}: {} lines", file.path.display(), file.lines))
        .collect();
    assert_eq!(names, [""; 0], "more than {LONGEST} lines");
}

#[test]
fn the_document_has_the_same_table() {
    let text =
        fs_err::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md")).unwrap();
    for (module, allowed) in MODULES {
        let starts = [format!("| `{module}` |"), format!("| `{module}/` |")];
        let row = text
            .lines()
            .find(|line| starts.iter().any(|start| line.starts_with(start)))
            .unwrap_or_else(|| unreachable!("docs/architecture.md has no row for `{module}`"));
        let last = row.trim_end_matches(" |").rsplit("| ").next().unwrap();
        let written: BTreeSet<_> = last
            .split_whitespace()
            .map(|word| word.trim_matches('`'))
            .collect();
        let meant: BTreeSet<_> = match *allowed {
            EVERYTHING_BEFORE => ["all"].into(),
            [] => ["–"].into(),
            names => names.iter().copied().collect(),
        };
        assert_eq!(
            written, meant,
            "`{module}` in docs/architecture.md (left) and in this test (right)"
        );
    }
}

#[test]
fn all_playbooks_and_templates_are_built_in() {
    for (folder, table) in [
        ("playbooks", ci_bootstrap::playbook::BUILT_IN),
        ("templates", ci_bootstrap::template::BUILT_IN),
    ] {
        let entries = fs_err::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, table.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }
}

#[test]
fn lists_of_names_are_read() {
    let code = "use crate::{plan::{Fact, Place}, ssh,\n  playbook};\nuse crate::event::Event;";
    let expected = ["event", "plan", "playbook", "ssh"].map(str::to_owned);
    assert_eq!(named(code), expected.into());
    assert!(
        uses("kube::Client", "kube") && !uses("my_kube::Client", "kube") && !uses("crate::kube::X", "kube")
    );
}
