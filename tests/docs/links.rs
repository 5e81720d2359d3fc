//! Every link between documents leads to a file, and to a heading of it.

use std::path::{Path, PathBuf};

use super::{reference, root};

/// The documents: those of the root, and all in `docs/` and of the lab.
fn documents() -> Vec<PathBuf> {
    let mut documents: Vec<_> = [
        "README.md",
        "CONTRIBUTING.md",
        "docs/site/SUMMARY.md",
        "tests/lab/README.md",
    ]
    .map(|path| root().join(path))
    .into();
    let docs = fs_err::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    documents.extend(docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    documents
}

/// A document without what stands in code blocks and code spans.
fn prose(text: &str) -> String {
    let outside_blocks = text.split("\n```").step_by(2);
    outside_blocks
        .flat_map(|part| part.split('`').step_by(2))
        .collect()
}

/// Where the links of a document lead to, as they are written.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.map(str::to_owned).collect()
}

fn has_heading(path: &Path, anchor: &str) -> bool {
    let text = fs_err::read_to_string(path).unwrap();
    let headings = text
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    headings.map(reference::anchor).any(|heading| heading == anchor)
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    let mut seen = 0;
    for document in documents() {
        // The summary of the site is read in the root.
        let from = if document.ends_with("SUMMARY.md") {
            root()
        } else {
            document.parent().unwrap().to_owned()
        };
        for link in links(&prose(&fs_err::read_to_string(&document).unwrap())) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            seen += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() {
                document.clone()
            } else {
                from.join(path)
            };
            let is_there = target.exists() && (anchor.is_empty() || has_heading(&target, anchor));
            if !is_there {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(seen > 50, "only {seen} links were found");
}

#[test]
fn the_site_has_every_document() {
    let summary = fs_err::read_to_string(root().join("docs/site/SUMMARY.md")).unwrap();
    for document in documents().iter().filter(|path| !path.ends_with("SUMMARY.md")) {
        let path = document.strip_prefix(root()).unwrap().display().to_string();
        assert!(
            summary.contains(&format!("({path})")),
            "{path} is not in docs/site/SUMMARY.md"
        );
    }
}
