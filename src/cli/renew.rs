//! `ci-bootstrap renew`: certificates for another year.

use std::path::PathBuf;

use crate::recovery;
use crate::secret::Secrets;

use super::run::{SECRET_LIMIT, block_on};
use super::screen;
use super::{CommandFailure, Exit, OrExit, session};

/// Renew the certificates of the control planes, one host at a time
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ci-bootstrap status inventory.yaml     # says when certificates end
  ci-bootstrap renew inventory.yaml

kubeadm's certificates live for a year. Each control plane gets new ones and restarts its
components; pods go on. It also works when certificates have expired. Kubeconfigs that were given
out keep their old certificate until it ends.")]
pub(super) struct Args {
    /// The inventory
    #[arg(value_name = "FILE", default_value = "inventory.yaml")]
    file: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    let cluster = super::load(&args.file)?.cluster;
    block_on(async {
        let fleet = session::prepare_fleet(&cluster, &Secrets::new(SECRET_LIMIT))
            .await
            .or_exit(Exit::Usage)?;
        let lock = session::lock(&cluster, &fleet).await?;
        for host in cluster.control_planes() {
            let name = host.name.as_str();
            let connection = fleet.host(name).await.or_exit(Exit::Unreachable)?;
            session::check_lock(&lock)?;
            recovery::renew(&*connection, name)
                .await
                .or_exit(Exit::StepFailed)?;
            writeln!(screen::stdout(), "{name}: all certificates are new")?;
        }
        Ok(Exit::Done)
    })
}
