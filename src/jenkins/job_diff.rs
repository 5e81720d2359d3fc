//! A job's `config.xml` against the one that is meant.

use std::collections::BTreeSet;

use roxmltree::{Document, Node};

/// A `config.xml` that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the job's config.xml is not XML: {0}")]
pub struct DiffError(#[from] roxmltree::Error);

/// Where `live` says something else than `wanted`, as `path: live → wanted`.
///
/// Only what `wanted` names is compared: Jenkins adds elements, versions of plugins and defaults of its own whenever it
/// saves a job, and a Jenkinsfile may set properties of the job that it is in.
pub fn differences(wanted: &str, live: &str) -> Result<Vec<String>, DiffError> {
    // Jenkins declares XML 1.1, which the parser does not take for XML; nothing in these files needs it.
    let (wanted, live) = (
        Document::parse(undeclared(wanted))?,
        Document::parse(undeclared(live))?,
    );
    let mut lines = Vec::new();
    compare(wanted.root_element(), live.root_element(), "", &mut lines);
    Ok(lines)
}

fn undeclared(xml: &str) -> &str {
    let xml = xml.trim_start();
    match xml.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")) {
        Some((_, rest)) => rest,
        None => xml,
    }
}

fn compare(wanted: Node, live: Node, path: &str, lines: &mut Vec<String>) {
    if name(wanted) != name(live) {
        lines.push(format!("{path}: {} → {}", name(live), name(wanted)));
        return;
    }
    if let Some(class) = wanted
        .attribute("class")
        .filter(|class| live.attribute("class") != Some(class))
    {
        lines.push(format!(
            "{path}: {} → {class}",
            live.attribute("class").unwrap_or("nothing")
        ));
        return;
    }
    let tags: BTreeSet<_> = wanted.children().filter(Node::is_element).map(name).collect();
    if tags.is_empty() && text(wanted) != text(live) {
        lines.push(format!(
            "{path}: {} → {}",
            shown(&text(live)),
            shown(&text(wanted))
        ));
    }
    for tag in tags {
        let below = format!("{path}/{tag}").trim_start_matches('/').to_owned();
        compare_all(&of_tag(wanted, tag), &of_tag(live, tag), &below, lines);
    }
}

/// Elements of one tag in the order in which they stand.
fn compare_all(wanted: &[Node], live: &[Node], path: &str, lines: &mut Vec<String>) {
    if wanted.len() == live.len() {
        for (wanted, live) in wanted.iter().zip(live) {
            compare(*wanted, *live, path, lines);
        }
    } else if !(live.is_empty() && wanted.iter().all(|node| is_blank(*node))) {
        lines.push(format!("{path}: {} of them → {}", live.len(), wanted.len()));
    }
}

fn of_tag<'a>(node: Node<'a, 'a>, tag: &str) -> Vec<Node<'a, 'a>> {
    node.children()
        .filter(|child| child.is_element() && name(*child) == tag)
        .collect()
}

fn name<'a>(node: Node<'a, 'a>) -> &'a str {
    node.tag_name().name()
}

fn text(node: Node) -> String {
    node.text().unwrap_or_default().trim().replace("\r\n", "\n")
}

fn is_blank(node: Node) -> bool {
    node.descendants()
        .all(|inner| !inner.is_text() || inner.text().unwrap_or_default().trim().is_empty())
}

fn shown(text: &str) -> String {
    if text.is_empty() {
        "nothing".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::jenkins::GitPipeline;

    fn job() -> GitPipeline {
        GitPipeline {
            name: "shop".into(),
            repository: "https://git.example.com/shop.git?a=1&b=2".into(),
            branch: "main".into(),
            jenkinsfile: "ci/Jenkinsfile".into(),
            credential: None,
        }
    }

    /// The file after Jenkins saved it: versions, defaults, and what a declarative Jenkinsfile left.
    fn saved(xml: &str) -> String {
        xml.replace("plugin=\"git\"", "plugin=\"git@5.10.1\"")
            .replace("          <credentialsId></credentialsId>\n", "")
            .replace(
                "  <definition ",
                "  <keepDependencies>false</keepDependencies>\n  <properties/>\n  <definition ",
            )
            .replace(
                "  </definition>",
                "  </definition>\n  <triggers/>\n  <disabled>false</disabled>",
            )
    }

    #[test]
    fn what_jenkins_adds_is_no_difference() {
        let xml = job().xml();
        assert_eq!(differences(&xml, &saved(&xml)).unwrap(), [""; 0]);
    }

    #[test]
    fn what_the_inventory_says_is_compared() {
        let live = saved(&job().xml());
        let wanted = GitPipeline {
            branch: "next".into(),
            credential: Some("git".into()),
            ..job()
        };
        let found = differences(&wanted.xml(), &live).unwrap();
        let scm = "definition/scm";
        assert_eq!(
            found,
            [
                format!("{scm}/branches/hudson.plugins.git.BranchSpec/name: */main → */next"),
                format!(
                    "{scm}/userRemoteConfigs/hudson.plugins.git.UserRemoteConfig/credentialsId: 0 of them → 1"
                ),
            ]
        );
        let freestyle = "<?xml version='1.1'?><project/>";
        assert_eq!(
            differences(&job().xml(), freestyle).unwrap(),
            [": project → flow-definition"]
        );
        assert!(differences(&job().xml(), "<a").is_err());
    }
}
