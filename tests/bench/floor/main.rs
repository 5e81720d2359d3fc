//! `bench-floor INVENTORY`: what a run with nothing to do can't be faster than.
//!
//! Each host gets one connection, its host key checked, and one `sh -s` with the very script by which the program looks
//! at it. Nothing is read out of the answer. Prints the seconds from the first connection to the last answer: reading
//! the inventory, making the scripts and starting the process are not in it.

mod host;
mod quick;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use ci_bootstrap::model::{Cluster, SshAccess};
use ci_bootstrap::plan::{Catalog, Place};
use ci_bootstrap::resource::Separator;
use ci_bootstrap::template::Templates;
use ci_bootstrap::{inventory, model, observe, plan, playbook};
use russh::keys::{PrivateKey, load_secret_key};
use tokio::task::JoinSet;

fn main() -> Result<()> {
    let path = std::env::args_os()
        .nth(1)
        .context("usage: bench-floor INVENTORY")?;
    let cluster = cluster(&PathBuf::from(path))?;
    let hosts = hosts(&cluster)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let began = Instant::now();
    runtime.block_on(ask_all(hosts))?;
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::print_stdout, reason = "it is what the program is for")]
    {
        println!("{seconds:.4}");
    }
    Ok(())
}

fn cluster(path: &std::path::Path) -> Result<Cluster> {
    let document = inventory::read(path)?;
    match model::validate(&document) {
        Ok(valid) => Ok(valid.cluster),
        Err(problems) => bail!(
            "{}: {} problems; see `ci-bootstrap check`",
            path.display(),
            problems.len()
        ),
    }
}

/// Every host with the script for it.
fn hosts(cluster: &Cluster) -> Result<Vec<host::Host>> {
    let catalog = Catalog {
        playbooks: playbook::load(None)?,
        templates: Templates::load(None)?,
        restore: None,
    };
    let mut hosts = Vec::new();
    let mut keys = std::collections::HashMap::new();
    for track in plan::build(cluster, &catalog)?.tracks {
        let Place::Host(name) = &track.place else { continue };
        let host = cluster.hosts.iter().find(|host| host.name.as_str() == name);
        let access = &host.context("a track of no host")?.ssh;
        hosts.push(host::Host {
            address: access.address.clone(),
            port: access.port.unwrap_or(22),
            user: access.user.clone().context("the inventory names no user")?,
            known_hosts: access
                .known_hosts
                .iter()
                .flatten()
                .next()
                .context("no known hosts")?
                .clone(),
            key: key(access, &mut keys)?,
            script: observe::script(track.host_steps(), &Separator::random()?),
        });
    }
    Ok(hosts)
}

/// The private key, read once.
fn key(
    access: &SshAccess,
    read: &mut std::collections::HashMap<PathBuf, Arc<PrivateKey>>,
) -> Result<Arc<PrivateKey>> {
    let path = access
        .identities
        .first()
        .context("the inventory names no private key")?;
    if let Some(key) = read.get(path) {
        return Ok(key.clone());
    }
    let key = Arc::new(load_secret_key(path, None)?);
    read.insert(path.clone(), key.clone());
    Ok(key)
}

async fn ask_all(hosts: Vec<host::Host>) -> Result<()> {
    let mut tasks = JoinSet::new();
    for host in hosts {
        tasks.spawn(host.ask());
    }
    while let Some(asked) = tasks.join_next().await {
        asked??;
    }
    Ok(())
}
