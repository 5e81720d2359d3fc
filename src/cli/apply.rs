//! `ci-bootstrap apply`: make it so.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::apply::RunMode;
use crate::report::Timings;

use super::restore::RestoreArgs;
use super::run::{PreparedRun, RunArgs, block_on};
use super::{CommandFailure, Exit, OrExit as _};

/// Converge hosts and cluster to the inventory; nothing else is changed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ci-bootstrap apply inventory.yaml
  ci-bootstrap apply inventory.yaml --limit w3 --limit w4
  ci-bootstrap apply inventory.yaml --yes --json > run.jsonl
  ci-bootstrap apply inventory.yaml --timings report.html
  ci-bootstrap apply inventory.yaml --restore /srv/backups/ci-20261121T143000Z.tar.gz

On a terminal the changes are shown first and made when you agree. A run that was interrupted,
killed or cut off is finished by the next one. A run that has changed something ends with the
checks of `verify`. Exit codes are listed in `ci-bootstrap --help`.")]
pub(super) struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    restore: RestoreArgs,
    /// Do not ask before the first change
    #[arg(long, short)]
    yes: bool,
    /// Write a page that shows where the time went: hosts as rows, steps and waits as bars, the critical path
    #[arg(long, value_name = "FILE")]
    timings: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    let mut prepared = PreparedRun::new(&args.run, Some(&args.restore))?;
    if let Some(file) = &args.timings {
        let page = Timings::new(file.clone()).with_context(|| file.display().to_string());
        prepared.timings = Some(page.or_exit(Exit::Usage)?);
    }
    block_on(async {
        if asks(args) {
            let plan = prepared.run(RunMode::Plan).await?;
            if plan.exit_code() != Exit::Done {
                return Ok(plan.exit_code());
            }
            if plan.changes > 0 && !super::agreed("\nMake these changes? [y/N] ")? {
                return Ok(Exit::Done);
            }
        }
        let mut report = prepared.run(RunMode::Apply).await?;
        let mut changed = report.changes > 0;
        if report.exit_code() == Exit::Done && prepared.put_home_back().await? {
            // Jenkins starts with jobs and settings of another time. The home counts as one change.
            report = prepared.run_after(report.changes + 1, RunMode::Apply).await?;
            changed = true;
        }
        if report.exit_code() != Exit::Done || !changed || !prepared.has_checks() {
            return Ok(report.exit_code());
        }
        let exit = prepared.verify().await?.exit_code();
        if exit == Exit::Done {
            prepared.welcome()?;
        }
        Ok(exit)
    })
}

/// A person at a terminal is asked; a pipeline has decided already.
fn asks(args: &Args) -> bool {
    !args.yes && !args.run.output.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
