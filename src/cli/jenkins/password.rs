//! `ci-bootstrap jenkins password`: how to log in.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::anyhow;
use secrecy::ExposeSecret as _;

use crate::cli::run::{SECRET_LIMIT, block_on};
use crate::cli::{CommandFailure, Exit, OrExit, inventory_file, session};
use crate::cluster_resource::JenkinsWorkload;
use crate::secret::Secrets;

/// Print the password of Jenkins' administrator
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ci-bootstrap jenkins password inventory.yaml
  echo \"user = admin:$(ci-bootstrap jenkins password)\" | curl -K - http://10.0.0.11:30080/api/json

It is read from the cluster, and printed on standard output alone.")]
pub(super) struct Args {
    /// The inventory
    #[arg(value_name = "FILE", default_value = "inventory.yaml")]
    file: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    let cluster = inventory_file::load(&args.file)?.cluster;
    let Some(jenkins) = &cluster.jenkins else {
        let file = args.file.display();
        return Err(anyhow!("{file} has no section `jenkins`")).or_exit(Exit::Usage);
    };
    let password = block_on(async {
        let secrets = Secrets::new(SECRET_LIMIT);
        let fleet = session::prepare_fleet(&cluster, &secrets)
            .await
            .or_exit(Exit::Usage)?;
        let access = session::access(&cluster, &fleet).await;
        let access = access.map_err(anyhow::Error::msg).or_exit(Exit::Unreachable)?;
        let password = JenkinsWorkload::from_jenkins(jenkins).password(&access.api).await;
        password.or_exit(Exit::StepFailed)
    })?;
    // It comes from the cluster, and a terminal obeys control characters.
    if password.expose_secret().contains(char::is_control) {
        let error = anyhow!("the password in the cluster has control characters, so it is not printed");
        return Err(error).or_exit(Exit::StepFailed);
    }
    writeln!(std::io::stdout(), "{}", password.expose_secret())?;
    Ok(Exit::Done)
}
