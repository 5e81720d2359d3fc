//! `ci-bootstrap verify`: does it work?

use std::path::PathBuf;

use super::output::OutputArgs;
use super::run::{block_on, verify};
use super::session;
use super::{CommandFailure, Exit, OrExit};
use crate::secret::Secrets;

/// Try out what was set up: nodes, cluster DNS, registries, storage, a build
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ci-bootstrap verify inventory.yaml
  ci-bootstrap verify inventory.yaml --json | jq 'select(.result == \"failed\")'

Every check has a time-out. Nothing is changed; what a check makes to try something out is removed
again. `apply` does the same at its end when it has changed something. Exits with 5 when a check
fails.")]
pub(super) struct Args {
    /// The inventory
    #[arg(value_name = "FILE", default_value = "inventory.yaml")]
    file: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    let cluster = super::load(&args.file)?.cluster;
    if !crate::verify::has_checks(&cluster) {
        return Err(anyhow::anyhow!(
            "{} makes no cluster: there is nothing to verify",
            args.file.display()
        ))
        .or_exit(Exit::Usage);
    }
    block_on(async {
        let secrets = Secrets::new(super::run::SECRET_LIMIT);
        let fleet = session::prepare_fleet(&cluster, &secrets)
            .await
            .or_exit(Exit::Usage)?;
        Ok(verify(&cluster, fleet, args.output.report(&secrets), &[])
            .await?
            .exit_code())
    })
}
