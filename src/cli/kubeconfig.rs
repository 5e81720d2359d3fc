//! `ci-bootstrap kubeconfig`: the way in for kubectl.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use secrecy::{ExposeSecret as _, SecretString};

use crate::fleet::Fleet;
use crate::model::Cluster;
use crate::secret::Secrets;

use super::run::{SECRET_LIMIT, block_on};
use super::screen;
use super::{Exit, Failure, OrExit, session};

/// Print the administrator's kubeconfig, or write it to a file that only you can read
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ci-bootstrap kubeconfig inventory.yaml --output ci.kubeconfig
  kubectl --kubeconfig ci.kubeconfig get nodes

It is a key to everything in the cluster. The file is replaced only as a whole, with mode 0600.")]
pub(super) struct Args {
    /// The inventory
    #[arg(value_name = "FILE", default_value = "inventory.yaml")]
    file: PathBuf,
    /// Write to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let cluster = super::load(&args.file)?.cluster;
    let kubeconfig = block_on(async {
        let fleet = session::fleet(&cluster, &Secrets::new(SECRET_LIMIT))
            .await
            .or_exit(Exit::Usage)?;
        read(&cluster, &fleet).await
    })?;
    match &args.output {
        None => write!(std::io::stdout(), "{}", kubeconfig.expose_secret())?,
        Some(path) => {
            write_private(path, kubeconfig.expose_secret()).or_exit(Exit::Usage)?;
            let (path, endpoint) = (path.display(), &cluster.endpoint);
            writeln!(
                screen::stderr(),
                "{path}: the administrator of {} at https://{endpoint}",
                cluster.name
            )?;
        }
    }
    Ok(Exit::Done)
}

/// The kubeconfig of the first control plane that has one.
async fn read(cluster: &Cluster, fleet: &Fleet) -> Result<SecretString, Failure> {
    let mut reasons = Vec::new();
    for host in cluster.control_planes() {
        match session::kubeconfig(fleet, host.name.as_str()).await {
            Ok(kubeconfig) => return Ok(kubeconfig.to_yaml(cluster.name.as_str())?),
            Err(reason) => reasons.push(reason),
        }
    }
    let Some(first) = reasons.into_iter().next() else {
        return Err(anyhow!("the inventory has no control plane")).or_exit(Exit::Usage);
    };
    Err(anyhow!(first)).or_exit(Exit::Unreachable)
}

/// Replaces a file by one that only its owner can read.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(|| folder.display().to_string())?;
    file.as_file()
        .set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).with_context(|| path.display().to_string())?;
    Ok(())
}
