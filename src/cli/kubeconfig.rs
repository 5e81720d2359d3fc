//! `ci-bootstrap kubeconfig`: the way in for kubectl.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use secrecy::ExposeSecret as _;
use tokio::net::TcpStream;

use crate::cluster_api::Kubeconfig;
use crate::fleet::Fleet;
use crate::model::{API_PORT, Cluster};
use crate::secret::Secrets;

use super::run::{SECRET_LIMIT, block_on};
use super::screen;
use super::{CommandFailure, Exit, OrExit, session};

/// How long a server may take to answer a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Print the administrator's kubeconfig, or write it to a file that only you can read
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ci-bootstrap kubeconfig inventory.yaml --output ci.kubeconfig
  kubectl --kubeconfig ci.kubeconfig get nodes

It is a key to everything in the cluster. The file is replaced only as a whole, with mode 0600.
The server in it is the cluster's endpoint. Where that does not answer this machine, it is the first
control plane that does.")]
pub(super) struct Args {
    /// The inventory
    #[arg(value_name = "FILE", default_value = "inventory.yaml")]
    file: PathBuf,
    /// Write to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    let cluster = super::load(&args.file)?.cluster;
    let (kubeconfig, server) = block_on(async {
        let fleet = session::prepare_fleet(&cluster, &Secrets::new(SECRET_LIMIT))
            .await
            .or_exit(Exit::Usage)?;
        let servers = servers(&cluster);
        let (kubeconfig, server) = futures::join!(read(&cluster, &fleet), answering(&servers));
        Ok((kubeconfig?, server))
    })?;
    let endpoint = cluster.endpoint.to_string();
    let kubeconfig = match &server {
        Some(server) if *server != endpoint => kubeconfig.at_endpoint(server)?,
        _ => kubeconfig,
    };
    let kubeconfig = kubeconfig.to_yaml(cluster.name.as_str())?;
    if server.is_none() {
        writeln!(
            screen::stderr(),
            "warning: this machine can't connect to any control plane's API server; kubectl needs a way to https://{endpoint}"
        )?;
    }
    match &args.output {
        None => write!(std::io::stdout(), "{}", kubeconfig.expose_secret())?,
        Some(path) => {
            write_private(path, kubeconfig.expose_secret()).or_exit(Exit::Usage)?;
            let (path, server) = (path.display(), server.as_ref().unwrap_or(&endpoint));
            writeln!(
                screen::stderr(),
                "{path}: the administrator of {} at https://{server}",
                cluster.name
            )?;
        }
    }
    Ok(Exit::Done)
}

/// Where API servers should answer: the endpoint that leads to all of them, then each control plane itself.
fn servers(cluster: &Cluster) -> Vec<String> {
    let own = cluster
        .control_planes()
        .map(|host| SocketAddr::new(host.address, API_PORT).to_string());
    std::iter::once(cluster.endpoint.to_string()).chain(own).collect()
}

/// The first of these servers that takes a connection.
async fn answering(servers: &[String]) -> Option<String> {
    let connects = servers.iter().map(|server| async move {
        let connect = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(server.as_str())).await;
        matches!(connect, Ok(Ok(_)))
    });
    let answers = futures::future::join_all(connects).await;
    let found = servers.iter().zip(answers).find(|(_, answers)| *answers);
    found.map(|(server, _)| server.clone())
}

/// The kubeconfig of the first control plane that has one.
async fn read(cluster: &Cluster, fleet: &Fleet) -> Result<Kubeconfig, CommandFailure> {
    let mut reasons = Vec::new();
    for host in cluster.control_planes() {
        match session::kubeconfig(fleet, host.name.as_str()).await {
            Ok(kubeconfig) => return Ok(kubeconfig),
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[tokio::test]
    async fn the_first_server_that_takes_a_connection_is_taken() {
        let listen = || tokio::net::TcpListener::bind("127.0.0.1:0");
        let (closed, first, second) = (
            listen().await.unwrap(),
            listen().await.unwrap(),
            listen().await.unwrap(),
        );
        let address = |listener: &tokio::net::TcpListener| listener.local_addr().unwrap().to_string();
        let servers = [address(&closed), address(&first), address(&second)];
        drop(closed);
        assert_eq!(answering(&servers).await.as_ref(), Some(&servers[1]));
        drop(first);
        drop(second);
        assert_eq!(answering(&servers).await, None);
    }
}
