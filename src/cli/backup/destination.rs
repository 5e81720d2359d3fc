//! Where bundles are kept: a folder here, or one on a host of the inventory.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use crate::fleet::Fleet;
use crate::model::Cluster;
use crate::recovery;

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
        builder.prefix(".ci-bootstrap-").suffix(".partial");
        match self {
            Self::Folder(folder) => builder
                .tempfile_in(folder)
                .with_context(|| format!("--to {}", folder.display())),
            Self::Host { .. } => Ok(builder.tempfile()?),
        }
    }

    /// Gives a finished bundle its name, and returns where it lies.
    pub(super) async fn keep(
        &self,
        file: tempfile::NamedTempFile,
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
                recovery::upload(&*connection, host, &path, file.reopen()?).await?;
                Ok(format!("{host}:{path}"))
            }
        }
    }
}

/// A file's name is on the disk only when its folder is.
fn sync(folder: &Path) -> anyhow::Result<()> {
    Ok(fs_err::File::open(folder)?.sync_all()?)
}
