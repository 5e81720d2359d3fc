//! Where bundles are kept: a folder here, or one on a host of the inventory.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use crate::bundle::{self, TransitKey};
use crate::fleet::Fleet;
use crate::model::Cluster;
use crate::recovery;

/// Names of bundles that are being written.
const PREFIX: &str = ".ci-bootstrap-";
const SUFFIX: &str = ".partial";
/// What nobody has written to for so long was left by a run that was killed.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// Where a bundle goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A folder of a host.
    Host { name: String, folder: String },
}

impl Destination {
    /// Reads `DIR` or `HOST:/path`. What looks like the second must name a host of the inventory.
    pub(super) fn parse(text: &str, cluster: &Cluster) -> anyhow::Result<Self> {
        match text.split_once(":/") {
            None => Ok(Self::Folder(text.into())),
            Some((name, _)) if cluster.host(name).is_none() => {
                Err(anyhow!("--to {text}: the inventory has no host {name}"))
            }
            Some((name, path)) => Ok(Self::Host {
                name: name.to_owned(),
                folder: format!("/{}", path.trim_end_matches('/')),
            }),
        }
    }

    /// The file that a bundle is written to before it gets its name: in the folder where it stays, or in one for passing things.
    pub(super) fn temporary(&self) -> anyhow::Result<tempfile::NamedTempFile> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).suffix(SUFFIX);
        match self {
            Self::Folder(folder) => {
                let place = || format!("--to {}", folder.display());
                sweep(folder).with_context(place)?;
                builder.tempfile_in(folder).with_context(place)
            }
            Self::Host { .. } => Ok(builder.tempfile()?),
        }
    }

    /// Seals what waits for its way to a host, where the bundle itself is not sealed: it holds all keys of the cluster.
    pub(super) fn transit_key(&self, recipients: &[bundle::Recipient]) -> Option<TransitKey> {
        let plain_to_host = matches!(self, Self::Host { .. }) && recipients.is_empty();
        plain_to_host.then(TransitKey::generate)
    }

    /// Gives a finished bundle its name, and returns where it lies.
    pub(super) async fn keep(
        &self,
        file: tempfile::NamedTempFile,
        transit: Option<&TransitKey>,
        name: &str,
        fleet: &Fleet,
    ) -> anyhow::Result<String> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                file.persist_noclobber(&path)
                    .with_context(|| path.display().to_string())?;
                sync(folder)?;
                Ok(path.display().to_string())
            }
            Self::Host { name: host, folder } => {
                let path = format!("{folder}/{name}");
                let connection = fleet.host(host).await?;
                let content: Box<dyn Read + Send> = match transit {
                    Some(key) => key.open(file.reopen()?)?,
                    None => Box::new(file.reopen()?),
                };
                recovery::upload(&*connection, host, &path, content).await?;
                Ok(format!("{host}:{path}"))
            }
        }
    }

    /// Deletes older bundles of a cluster, so that `keep` with the `new` one stay. Returns the names of the deleted.
    pub(super) async fn retire(
        &self,
        cluster: &str,
        new: &str,
        keep: usize,
        fleet: &Fleet,
    ) -> anyhow::Result<Vec<String>> {
        let old = |names: Vec<String>| bundle::outdated(&names, cluster, new, keep);
        match self {
            Self::Folder(folder) => {
                let old = old(files(folder)?);
                old.iter()
                    .try_for_each(|name| fs_err::remove_file(folder.join(name)))?;
                Ok(old)
            }
            Self::Host { name: host, folder } => {
                let connection = fleet.host(host).await?;
                let old = old(recovery::names(&*connection, host, folder).await?);
                if !old.is_empty() {
                    recovery::delete(&*connection, host, folder, &old).await?;
                }
                Ok(old)
            }
        }
    }
}

/// Deletes what killed runs have left: each could be as large as a bundle.
fn sweep(folder: &Path) -> anyhow::Result<()> {
    for name in files(folder)? {
        let path = folder.join(&name);
        let ours = name.starts_with(PREFIX) && name.ends_with(SUFFIX);
        if ours && fs_err::metadata(&path)?.modified()?.elapsed().unwrap_or_default() > ABANDONED {
            fs_err::remove_file(&path)?;
        }
    }
    Ok(())
}

/// The names of the files in a folder.
fn files(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// A file's name is on the disk only when its folder is.
fn sync(folder: &Path) -> anyhow::Result<()> {
    Ok(fs_err::File::open(folder)?.sync_all()?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::io::Write as _;
    use std::sync::Arc;

    use futures::FutureExt as _;

    use super::*;
    use crate::bundle::BundleOutput;
    use crate::transport::Transport;
    use crate::transport::memory::{MemoryHost, run_here};

    #[tokio::test]
    async fn old_bundles_of_a_folder_are_deleted_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let stays = [
            "ci-20261103T000000Z.tar.gz",
            "notes.txt",
            "other-20261101T000000Z.tar.gz",
        ];
        let goes = ["ci-20261101T000000Z.tar.gz.age", "ci-20261102T000000Z.tar.gz"];
        for name in stays.iter().chain(&goes) {
            fs_err::write(folder.path().join(name), "").unwrap();
        }
        let destination = Destination::Folder(folder.path().to_owned());
        let nowhere = Fleet::new([], Box::new(|_| futures::future::pending().boxed()));
        let deleted = destination.retire("ci", stays[0], 1, &nowhere).await.unwrap();
        assert_eq!(deleted, goes);
        let mut left = files(folder.path()).unwrap();
        left.sort();
        assert_eq!(left, stays);
    }

    #[tokio::test]
    async fn a_plain_bundle_waits_sealed_and_arrives_plain() {
        let host = MemoryHost::new("nfs1", |script: &str| run_here(script));
        let host: Arc<dyn Transport> = Arc::new(host);
        let fleet = Fleet::new(
            ["nfs1".to_owned()],
            Box::new(move |_| futures::future::ready(Ok(host.clone())).boxed()),
        );
        let folder = tempfile::tempdir().unwrap();
        let to = Destination::Host {
            name: "nfs1".to_owned(),
            folder: folder.path().display().to_string(),
        };
        let key = to.transit_key(&[]).unwrap();
        let file = to.temporary().unwrap();
        let mut sink = BundleOutput::new(file.reopen().unwrap(), &[key.recipient()]).unwrap();
        sink.write_all(b"the keys of the cluster").unwrap();
        sink.finish().unwrap();
        let waits = fs_err::read(file.path()).unwrap();
        assert!(!waits.windows(4).any(|bytes| bytes == b"keys"));
        to.keep(file, Some(&key), "bundle", &fleet).await.unwrap();
        let arrived = fs_err::read(folder.path().join("bundle")).unwrap();
        assert_eq!(arrived, b"the keys of the cluster");
        // What is sealed for others, and what stays here, needs no second seal.
        assert!(to.transit_key(&[key.recipient()]).is_none());
        assert!(Destination::Folder("/".into()).transit_key(&[]).is_none());
    }

    #[test]
    fn only_half_bundles_that_nobody_writes_any_more_are_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * ABANDONED;
        for (name, written) in [
            (".ci-bootstrap-a.partial", long_ago),
            (".ci-bootstrap-b.partial", std::time::SystemTime::now()),
            (".other-a.partial", long_ago),
        ] {
            let file = fs_err::File::create(folder.path().join(name)).unwrap();
            file.file().set_modified(written).unwrap();
        }
        let destination = Destination::Folder(folder.path().to_owned());
        drop(destination.temporary().unwrap());
        let mut left = files(folder.path()).unwrap();
        left.sort();
        assert_eq!(left, [".ci-bootstrap-b.partial", ".other-a.partial"]);
    }
}
