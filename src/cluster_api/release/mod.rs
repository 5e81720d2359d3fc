//! Upstream's release manifests: fetched once by the machine on which this program runs, checked by SHA-256, kept in a cache.

mod fetch;

use std::io::Write as _;
use std::path::{Path, PathBuf};

pub use fetch::FetchError;
use fetch::Fetcher;

use super::object::Object;
use super::sha256;
use crate::model::{Manifest, ManifestSource};
use crate::yaml;

/// Why a release manifest can't be had.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// It can't be fetched.
    #[error(
        "fetch {url}: {reason}\n  help: without a way there, fetch it elsewhere and name it as `manifest.path`"
    )]
    Fetch {
        /// The address in the inventory.
        url: String,
        /// What happened, with the address that it happened at.
        reason: FetchError,
    },
    /// A file that can't be read or written; the error names it.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// Another content than the one that was agreed on.
    #[error(
        "{origin} has SHA-256 {found}, and {expected} was expected: it was changed, cut off, or is of another release; \
         if you trust it, put its sum into the inventory as `manifest.sha256`"
    )]
    OtherSum {
        /// URL or path.
        origin: String,
        /// What the inventory or this program's table says.
        expected: String,
        /// What it has.
        found: String,
    },
    /// The right file, but no manifest.
    #[error("{origin} is not a manifest: {reason}")]
    NotAManifest {
        /// URL or path.
        origin: String,
        /// What is wrong.
        reason: String,
    },
}

/// Fetches release manifests and keeps them by their sums.
#[derive(Debug)]
pub struct Releases {
    cache: PathBuf,
    fetcher: Fetcher,
}

impl Releases {
    /// With the cache of this user (`$XDG_CACHE_HOME/ci-bootstrap`, or below `~/.cache`) and the proxies that the environment names.
    pub fn with_user_cache() -> Self {
        let variable = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let base = variable("XDG_CACHE_HOME").filter(|path| path.is_absolute());
        let base = base.or_else(|| variable("HOME").map(|home| home.join(".cache")));
        let cache = base
            .unwrap_or_else(std::env::temp_dir)
            .join("ci-bootstrap/releases");
        Self {
            cache,
            fetcher: Fetcher::from_environment(),
        }
    }

    /// The objects of a release manifest. A file that was fetched once is not fetched again.
    pub async fn load(&self, manifest: &Manifest) -> Result<Vec<Object>, ReleaseError> {
        let (origin, content) = match &manifest.source {
            ManifestSource::Path(path) => (path.display().to_string(), fs_err::read(path)?),
            ManifestSource::Url(url) => (url.clone(), self.cached(url, &manifest.sha256).await?),
        };
        check(&origin, &manifest.sha256, &content)?;
        parse(&origin, &content)
    }

    /// A file whose sum nobody knows beforehand; it is fetched again each time.
    ///
    /// # Errors
    /// Where it can't be had.
    pub async fn fetch(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        self.fetcher.fetch(url).await
    }

    async fn cached(&self, url: &str, sha256: &str) -> Result<Vec<u8>, ReleaseError> {
        let path = self.cache.join(sha256);
        if let Ok(content) = fs_err::read(&path)
            && check(url, sha256, &content).is_ok()
        {
            return Ok(content);
        }
        let fetched = self.fetcher.fetch(url).await;
        let content = fetched.map_err(|reason| ReleaseError::Fetch {
            url: url.to_owned(),
            reason,
        })?;
        check(url, sha256, &content)?;
        keep(&path, &content)?;
        Ok(content)
    }
}

/// Writes the file whole or not at all, so that runs side by side never read half of it.
fn keep(path: &Path, content: &[u8]) -> Result<(), ReleaseError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

fn check(origin: &str, expected: &str, content: &[u8]) -> Result<(), ReleaseError> {
    let found = sha256::hex(content);
    if found.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(ReleaseError::OtherSum {
        origin: origin.to_owned(),
        expected: expected.to_owned(),
        found,
    })
}

fn parse(origin: &str, content: &[u8]) -> Result<Vec<Object>, ReleaseError> {
    let wrong = |reason: String| ReleaseError::NotAManifest {
        origin: origin.to_owned(),
        reason,
    };
    let text = str::from_utf8(content).map_err(|e| wrong(e.to_string()))?;
    let objects = yaml::manifests(text).map_err(|e| wrong(e.to_string()))?;
    if objects.is_empty() {
        return Err(wrong("it holds no objects".into()));
    }
    match objects
        .iter()
        .find_map(|object| super::ObjectId::from_object(object).err())
    {
        Some(e) => Err(wrong(e.to_string())),
        None => Ok(objects),
    }
}

#[cfg(test)]
mod tests;
