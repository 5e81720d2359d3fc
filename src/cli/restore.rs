//! The bundle that `apply --restore` is given, and whether it may be used: all that is refused is refused here, before a host is touched.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;

use crate::bundle::{self, BundleContents, BundleError, BundleHeader, RestoreArchive};
use crate::fleet::Fleet;
use crate::model::{Cluster, Version};
use crate::recovery::{self, Traces};

use super::restore_home::HomeArchive;
use super::{CommandFailure, Exit, OrExit, origin};

/// What a cluster is restored from.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// Bring a lost cluster back from this bundle (see `backup`)
    #[arg(long, value_name = "BUNDLE")]
    restore: Option<PathBuf>,
    /// Put Jenkins' home of this bundle in place of the one there is; nothing else of the bundle
    #[arg(long, value_name = "BUNDLE", conflicts_with = "restore")]
    restore_home: Option<PathBuf>,
    /// File with the age key of an encrypted bundle
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Restore without asking from a bundle whose origin can't be verified
    #[arg(long)]
    allow_unverified: bool,
}

/// A checked bundle that fits the inventory.
#[derive(Debug)]
pub(super) struct CheckedRestore {
    contents: BundleContents,
    pub(super) payload: Arc<RestoreArchive>,
    pub(super) home: Option<HomeArchive>,
}

impl RestoreArgs {
    /// Reads and checks the bundle, where one is given.
    pub(super) fn open(&self, cluster: &Cluster) -> Result<Option<CheckedRestore>, CommandFailure> {
        let Some(path) = &self.restore else {
            return Ok(None);
        };
        let identity = self.identity.as_deref();
        let fits = |about: &BundleHeader| {
            fits(about, cluster).map_err(|why| BundleError::Foreign(format!("{}: {why}", path.display())))
        };
        let opened = bundle::open(path, identity).and_then(|source| RestoreArchive::of(source, fits));
        let (contents, payload) = opened.or_exit(Exit::Usage)?;
        origin::check(&contents, cluster, path, self.allow_unverified)?;
        origin::tell_newer(&contents.about, path, identity)?;
        Ok(Some(CheckedRestore {
            home: HomeArchive::of(&contents, cluster, path, identity),
            contents,
            payload: Arc::new(payload),
        }))
    }

    /// Reads and checks the bundle whose home is to be put back whatever there is, where one is given.
    pub(super) fn open_home(&self, cluster: &Cluster) -> Result<Option<HomeArchive>, CommandFailure> {
        let Some(path) = self.restore_home.as_deref() else {
            return Ok(None);
        };
        let identity = self.identity.as_deref();
        let (home, contents) = HomeArchive::open(path, identity, cluster)?;
        origin::check(&contents, cluster, path, self.allow_unverified)?;
        origin::tell_newer(&contents.about, path, identity)?;
        Ok(Some(home))
    }
}

impl CheckedRestore {
    /// Asks all hosts whether the cluster is really gone. A control plane that can't be asked might carry it; a worker may be away.
    pub(super) async fn check_hosts(&self, cluster: &Cluster, fleet: &Fleet) -> Result<(), CommandFailure> {
        let mut others = Vec::new();
        for host in cluster.control_planes() {
            let name = host.name.as_str();
            let connection = fleet.host(name).await.or_exit(Exit::Unreachable)?;
            match recovery::traces(&*connection, name)
                .await
                .or_exit(Exit::Unreachable)?
            {
                // An earlier run has come this far: the rest is apply's.
                Traces::Restored(id) if id == self.payload.id => return Ok(()),
                Traces::None => {}
                _ => others.push(name),
            }
        }
        if let Some(name) = others.first() {
            return Err(anyhow!(
                "{name} carries a cluster already, and a restore never overwrites one\nif it is lost for good, run `ci-bootstrap reset {name}` and apply again"
            ))
            .or_exit(Exit::StepFailed);
        }
        self.check_workers(cluster, fleet).await
    }

    async fn check_workers(&self, cluster: &Cluster, fleet: &Fleet) -> Result<(), CommandFailure> {
        let ours = self.contents.sums.get("pki/ca.crt");
        for host in cluster.workers() {
            let name = host.name.as_str();
            let Ok(connection) = fleet.host(name).await else {
                continue;
            };
            if let Ok(Traces::Worker(ca)) = recovery::traces(&*connection, name).await
                && Some(&ca) != ours
            {
                return Err(anyhow!(
                    "the bundle is of another cluster than {name} belongs to: they have different certificate authorities"
                ))
                .or_exit(Exit::Usage);
            }
        }
        Ok(())
    }
}

/// Whether the inventory describes the cluster that the bundle is of.
fn fits(about: &BundleHeader, cluster: &Cluster) -> Result<(), String> {
    let networks = &cluster.networks;
    let pairs = [
        ("cluster.name", &about.cluster, cluster.name.clone()),
        (
            "cluster.networks.pods",
            &about.networks[0],
            networks.pods.to_string(),
        ),
        (
            "cluster.networks.services",
            &about.networks[1],
            networks.services.to_string(),
        ),
        (
            "cluster.networks.domain",
            &about.networks[2],
            networks.domain.clone(),
        ),
    ];
    for (name, bundle, inventory) in pairs {
        if *bundle != inventory {
            return Err(format!(
                "the bundle is of another cluster: {name} is {bundle} there and {inventory} in the inventory"
            ));
        }
    }
    let line = about.kubernetes.parse::<Version>().map(Version::line);
    if line != Ok(cluster.kubernetes.line()) {
        return Err(format!(
            "the bundle's cluster ran Kubernetes {}, and the inventory says {}: restore with the same minor release",
            about.kubernetes, cluster.kubernetes
        ));
    }
    Ok(())
}
