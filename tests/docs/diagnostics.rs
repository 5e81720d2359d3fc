//! `docs/diagnostics.md`: every code, with what it looks like.

use std::fmt::Write;
use std::path::Path;

use ci_bootstrap::diagnostic::Code;
use ci_bootstrap::{model, yaml};

const INTRODUCTION: &str = "\
# Problems in an inventory

`ci-bootstrap check FILE` reads an inventory and tells everything that is wrong with it at once, each problem with a code.
Codes keep their meaning: search for them here, or select on them in the output of `ci-bootstrap check --json FILE`.
Errors end the program with exit code 2 before any host is looked at; warnings do not.

This file is made from the table of codes and from the examples in `tests/diagnostics`.
";

pub(crate) fn markdown(examples: &Path) -> String {
    let mut text = INTRODUCTION.to_owned();
    let parts = [
        ("What the file must look like", yaml::code::ALL),
        ("What it must mean", model::code::ALL),
    ];
    for (title, codes) in parts {
        write!(text, "\n## {title}\n\n| code | rule |\n| --- | --- |\n").unwrap();
        for code in codes {
            let anchor = code.name.replace("::", "");
            writeln!(text, "| [`{}`](#{anchor}) | {} |", code.name, code.meaning).unwrap();
        }
        for code in codes {
            section(&mut text, code, examples);
        }
    }
    text
}

fn section(text: &mut String, code: &Code, examples: &Path) {
    let file = examples.join(code.name.replace("::", "/") + ".txt");
    let printed = fs_err::read_to_string(file).unwrap();
    write!(
        text,
        "\n### {}\n\n{}.\n\n```text\n{}\n```\n",
        code.name,
        capital(code.meaning),
        printed.trim_end()
    )
    .unwrap();
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
