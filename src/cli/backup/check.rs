//! `ci-bootstrap backup check`: whether a bundle would bring the cluster back.

use std::path::PathBuf;

use anyhow::anyhow;

use crate::bundle::{self, BundleContents, BundleError, RestoreArchive};
use crate::model::Cluster;
use crate::recovery;
use crate::secret::Secrets;

use super::super::origin::{self, Origin};
use super::super::run::{SECRET_LIMIT, block_on};
use super::super::screen;
use super::super::{CommandFailure, Exit, OrExit, load, session};
use super::IdentityArgs;

/// Check every part of a bundle, and restore etcd's state into a scratch folder
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  ci-bootstrap backup check /srv/backups/ci-20261121T143000Z.tar.gz --inventory inventory.yaml

The rehearsal of etcd's restore needs etcd's own program, which control planes have: without an
inventory it is left out. Nothing of the running cluster is touched. Exits with 5 when the bundle
is damaged.")]
pub(super) struct Args {
    /// The bundle
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    #[command(flatten)]
    identity: IdentityArgs,
    /// Rehearse etcd's restore on the first control plane of this inventory that answers
    #[arg(long, value_name = "FILE")]
    inventory: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    let cluster = args
        .inventory
        .as_deref()
        .map(load)
        .transpose()?
        .map(|valid| valid.cluster);
    let opened = bundle::open(&args.bundle, args.identity.identity.as_deref());
    let (contents, payload) = opened
        .and_then(|source| RestoreArchive::of(source, |_| Ok(())))
        .or_else(refused)?;
    tell(&contents)?;
    tell_origin(&contents, cluster.as_ref())?;
    match cluster {
        Some(cluster) => block_on(rehearse(&cluster, &payload))?,
        None => writeln!(
            screen::stdout(),
            "not checked: whether etcd's state can be restored; give --inventory for a rehearsal on a control plane"
        )?,
    }
    Ok(Exit::Done)
}

/// A damaged bundle is what this command is there to find; all else is a matter of how it was called.
fn refused<T>(error: BundleError) -> Result<T, CommandFailure> {
    let exit = match error {
        BundleError::Damaged(_) => Exit::VerificationFailed,
        _ => Exit::Usage,
    };
    Err(error).or_exit(exit)
}

fn tell(contents: &BundleContents) -> Result<(), CommandFailure> {
    let about = &contents.about;
    writeln!(
        screen::stdout(),
        "{} with Kubernetes {}, taken on {} at {}\n{} members are what they were when the bundle was made",
        about.cluster,
        about.kubernetes,
        about.taken_on,
        about.made,
        contents.sums.len()
    )?;
    if about.jenkins_home.is_some() {
        writeln!(screen::stdout(), "Jenkins' home is among them")?;
    }
    Ok(())
}

/// Says who has signed it, and whether that is whom the inventory names.
fn tell_origin(contents: &BundleContents, cluster: Option<&Cluster>) -> Result<(), CommandFailure> {
    let said = match (cluster, &contents.signer) {
        (Some(cluster), _) => match origin::compare(contents, cluster) {
            Ok(Origin::Verified) => "the key of the inventory has signed it".to_owned(),
            Ok(Origin::Unverified(why)) => format!("its origin isn't verified: {why}"),
            Err(why) => return Err(anyhow!(why)).or_exit(Exit::VerificationFailed),
        },
        (None, Some(signer)) => format!("signed by {signer}; give --inventory to compare that"),
        (None, None) => "it has no signature".to_owned(),
    };
    Ok(writeln!(screen::stdout(), "{said}")?)
}

async fn rehearse(cluster: &Cluster, payload: &RestoreArchive) -> Result<(), CommandFailure> {
    let fleet = session::prepare_fleet(cluster, &Secrets::new(SECRET_LIMIT))
        .await
        .or_exit(Exit::Usage)?;
    let references = cluster.images.references();
    let etcd = references.iter().find(|(component, _)| *component == "etcd");
    let image = etcd.map_or("", |(_, image)| image);
    let mut reason = "the inventory has no control plane".to_owned();
    for host in cluster.control_planes() {
        let name = host.name.as_str();
        match fleet.host(name).await {
            Ok(connection) => {
                let done = recovery::rehearse(&*connection, name, payload, image).await;
                done.or_exit(Exit::VerificationFailed)?;
                writeln!(
                    screen::stdout(),
                    "etcd's state was restored into a scratch folder of {name}"
                )?;
                return Ok(());
            }
            Err(error) => reason = error.to_string(),
        }
    }
    Err(anyhow!("etcd's restore can't be rehearsed: {reason}")).or_exit(Exit::Unreachable)
}
