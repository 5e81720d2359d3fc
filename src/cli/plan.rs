//! `ci-bootstrap plan`: what an apply would change.

use crate::apply::RunMode;

use super::run::{PreparedRun, RunArgs, block_on};
use super::{CommandFailure, Exit};

/// Show what `apply` would change, and change nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ci-bootstrap plan inventory.yaml
  ci-bootstrap plan inventory.yaml --exit-code || echo 'something has drifted'

What only exists once something else was done is shown as `(known after …)`.")]
pub(super) struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// Exit with 10 when there are changes to make
    #[arg(long)]
    exit_code: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    let prepared = PreparedRun::new(&args.run, None)?;
    let report = block_on(prepared.run(RunMode::Plan))?;
    let code = if args.exit_code {
        report.plan_exit_code()
    } else {
        report.exit_code()
    };
    Ok(code)
}
