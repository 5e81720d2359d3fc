//! `ci-bootstrap check`: is the inventory right?

use std::path::PathBuf;

use serde_json::{Value, json};

use super::inventory_file::{count, plural, today};
use super::screen;
use super::{CommandFailure, Exit, OrExit, load};
use crate::diagnostic::{Diagnostic, Label, Severity, Source};
use crate::inventory;
use crate::model::{self, Cluster, Validated};

/// Check an inventory, without looking at any host.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ci-bootstrap check inventory.yaml
  ci-bootstrap check inventory.yaml --json | jq '.problems[].code'

The codes of problems are explained in docs/diagnostics.md.")]
pub(super) struct Args {
    /// The inventory.
    #[arg(value_name = "FILE", default_value = "inventory.yaml")]
    file: PathBuf,
    /// Print the result as JSON, for editors and pipelines.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    if args.json {
        return as_json(args);
    }
    let Validated { cluster, warnings } = load(&args.file)?;
    let (file, summary) = (args.file.display(), summary(&cluster));
    writeln!(screen::stdout(), "{file}: {summary}, {}", count(&warnings))?;
    Ok(Exit::Done)
}

/// "3 hosts (1 control plane, 2 workers), Kubernetes 1.36.4".
fn summary(cluster: &Cluster) -> String {
    let kinds = [
        (cluster.control_planes().count(), "control plane"),
        (cluster.workers().count(), "worker"),
        (
            cluster.hosts.iter().filter(|host| host.roles.nfs).count(),
            "NFS server",
        ),
        (
            cluster
                .hosts
                .iter()
                .filter(|host| !host.is_node() && !host.roles.nfs)
                .count(),
            "prepared host",
        ),
    ];
    let kinds = kinds.into_iter().filter(|(count, _)| *count > 0);
    let kinds: Vec<String> = kinds.map(|(count, noun)| plural(count, noun)).collect();
    let hosts = plural(cluster.hosts.len(), "host");
    format!(
        "{hosts} ({}), Kubernetes {}",
        kinds.join(", "),
        cluster.kubernetes
    )
}

fn as_json(args: &Args) -> Result<Exit, CommandFailure> {
    let document = inventory::read(&args.file).or_exit(Exit::Usage)?;
    let (valid, summary, problems) = match model::validate(&document) {
        Ok(mut valid) => {
            valid.warnings.extend(model::support_warnings(&document, today()));
            (true, summary(&valid.cluster), valid.warnings)
        }
        Err(problems) => (false, count(&problems), problems),
    };
    let problems: Vec<Value> = problems
        .iter()
        .map(|problem| problem_as_json(problem, &document.source))
        .collect();
    let result = json!({
        "file": document.source.name,
        "valid": valid,
        "summary": summary,
        "problems": problems,
    });
    writeln!(screen::stdout(), "{result:#}")?;
    Ok(if valid { Exit::Done } else { Exit::Usage })
}

fn problem_as_json(problem: &Diagnostic, source: &Source) -> Value {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let labels: Vec<Value> = problem
        .labels
        .iter()
        .map(|label| label_as_json(label, source))
        .collect();
    json!({
        "code": problem.code.name,
        "severity": severity,
        "title": problem.title,
        "labels": labels,
        "help": problem.help,
    })
}

fn label_as_json(label: &Label, source: &Source) -> Value {
    let (line, column) = source.position(label.span.start);
    let (end_line, end_column) = source.position(label.span.end);
    json!({
        "line": line,
        "column": column,
        "endLine": end_line,
        "endColumn": end_column,
        "text": label.text,
    })
}
