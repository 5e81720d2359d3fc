//! Jenkins' home out of a bundle, put back when an apply has brought the controller up.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use tokio::sync::mpsc;

use crate::apply::Lock;
use crate::bundle::{self, BundleContents, BundleError, BundleMember, JENKINS_HOME};
use crate::fleet::Fleet;
use crate::model::Cluster;
use crate::recovery::{HomeState, JenkinsHome, RecoveryError, Upload};
use crate::transport::Transport;

use super::{CommandFailure, Exit, OrExit, screen, session};

/// Where the archive lies on a control plane on its way; a folder of root's alone.
const ARCHIVE: &str = "/var/lib/ci-bootstrap/jenkins-home/archive.tar.gz";
/// Pieces that wait for the line to the host.
const WAITING: usize = 2;

/// The home in a checked bundle.
#[derive(Debug)]
pub(super) struct HomeArchive {
    bundle: PathBuf,
    identity: Option<PathBuf>,
    /// What tells it from other homes.
    id: String,
    /// What tells the bundle from every other: the file may be another one when it is read again.
    bundle_id: String,
    namespace: String,
    /// Whether it is to take the place of any other home.
    is_forced: bool,
}

impl HomeArchive {
    /// The home of a bundle, where the bundle has one and the inventory has Jenkins.
    pub(super) fn of(
        contents: &BundleContents,
        cluster: &Cluster,
        bundle: &Path,
        identity: Option<&Path>,
    ) -> Option<Self> {
        Some(Self {
            bundle: bundle.to_owned(),
            identity: identity.map(Path::to_owned),
            id: contents.about.jenkins_home.clone()?,
            bundle_id: contents.id.clone(),
            namespace: cluster.jenkins.as_ref()?.namespace.clone(),
            is_forced: false,
        })
    }

    /// Reads and checks a bundle whose home is to be put back whatever there is. Its contents are returned as well.
    pub(super) fn open(
        bundle: &Path,
        identity: Option<&Path>,
        cluster: &Cluster,
    ) -> Result<(Self, BundleContents), CommandFailure> {
        let opened = bundle::open(bundle, identity);
        let contents = opened.and_then(|source| bundle::read(source, |_| Ok(()), |_| Ok(())));
        let contents = contents.or_exit(Exit::Usage)?;
        let name = bundle.display();
        let why = if contents.about.cluster != cluster.name {
            format!(
                "{name}: the bundle is of another cluster, {}",
                contents.about.cluster
            )
        } else if cluster.jenkins.is_none() {
            "the inventory has no Jenkins whose home could be put back".to_owned()
        } else {
            format!("{name}: the bundle was made without Jenkins' home")
        };
        let home = Self::of(&contents, cluster, bundle, identity)
            .filter(|_| contents.about.cluster == cluster.name)
            .ok_or_else(|| anyhow!(why))
            .or_exit(Exit::Usage)?;
        Ok((
            Self {
                is_forced: true,
                ..home
            },
            contents,
        ))
    }

    /// Puts the home back where it is missing, or in any case when told so. False when there was nothing to do.
    pub(super) async fn put_back(
        &self,
        cluster: &Cluster,
        fleet: &Fleet,
        lock: &Lock,
    ) -> Result<bool, CommandFailure> {
        let name = cluster.control_planes().next().map(|host| host.name.as_str());
        let name = name
            .context("the inventory has no control plane")
            .or_exit(Exit::Usage)?;
        let host = fleet.host(name).await.or_exit(Exit::Unreachable)?;
        let home = JenkinsHome::new(&*host, name, &self.namespace);
        let state = home.state(&self.id).await.or_exit(Exit::StepFailed)?;
        match (self.is_forced, state) {
            (false, HomeState::Same) => return Ok(false),
            (false, HomeState::Other) => {
                say(&format!(
                    "Jenkins has a home with builds of its own, which stays; `apply --restore-home {}` puts the bundle's in its place",
                    self.bundle.display()
                ))?;
                return Ok(false);
            }
            (true, _) | (_, HomeState::Fresh) => {}
        }
        self.send(&*host, name).await.or_exit(Exit::StepFailed)?;
        session::check_lock(lock)?;
        home.put(ARCHIVE).await.or_exit(Exit::StepFailed)?;
        say(
            "Jenkins' home of the bundle is in place; what was there before is kept beside it, in .before-restore-… of the volume",
        )?;
        Ok(true)
    }

    /// Sends the home to a host, piece by piece: it may be larger than memory.
    async fn send(&self, host: &dyn Transport, name: &str) -> anyhow::Result<()> {
        let (bundle, identity) = (self.bundle.clone(), self.identity.clone());
        let (sender, mut pieces) = mpsc::channel(WAITING);
        let reading = tokio::task::spawn_blocking(move || read(&bundle, identity.as_deref(), &sender));
        let uploading = async {
            let mut upload = Upload::begin(host, name, ARCHIVE).await?;
            while let Some(piece) = pieces.recv().await {
                upload.add(&piece).await?;
            }
            Ok::<_, RecoveryError>(upload)
        };
        let upload = uploading.await?;
        // Only now is it known that every piece was whole.
        if reading.await??.id != self.bundle_id {
            return Err(anyhow!(
                "{}: another bundle took its place while this ran",
                self.bundle.display()
            ));
        }
        Ok(upload.finish().await?)
    }
}

fn read(
    bundle: &Path,
    identity: Option<&Path>,
    pieces: &mpsc::Sender<Vec<u8>>,
) -> Result<BundleContents, BundleError> {
    let source = bundle::open(bundle, identity)?;
    bundle::read(
        source,
        |_| Ok(()),
        |BundleMember { name, content, .. }| {
            if name.starts_with(JENKINS_HOME) {
                let mut piece = Vec::new();
                content.read_to_end(&mut piece)?;
                // Nobody listens any more when the upload has failed, which is reported there.
                let _ = pieces.blocking_send(piece);
            }
            Ok(())
        },
    )
}

fn say(line: &str) -> Result<(), CommandFailure> {
    Ok(writeln!(screen::stderr(), "{line}")?)
}
