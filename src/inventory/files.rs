//! The files that an inventory names, read with it, so that checking it needs no further look at the disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Inventory, Key};
use crate::yaml::Spanned;

/// Largest file that is taken for a key, a certificate or a manifest.
const LIMIT: u64 = 8 << 20;

/// What the named files hold, by the name that the inventory gives them.
#[derive(Debug, Clone, Default)]
pub struct Files {
    directory: PathBuf,
    contents: BTreeMap<String, Result<Vec<u8>, String>>,
}

impl Files {
    /// Reads the files that `inventory`, a file in `directory`, names.
    pub(super) fn read(inventory: &Inventory, directory: &Path) -> Self {
        let mut files = Self {
            directory: directory.to_path_buf(),
            contents: BTreeMap::new(),
        };
        for name in named(inventory) {
            let content = read(&files.path(name));
            files.contents.insert(name.value.clone(), content);
        }
        files
    }

    /// The path that a name in the inventory means: relative to the inventory, `~/` being the home directory.
    pub fn path(&self, name: &str) -> PathBuf {
        match (name.strip_prefix("~/"), std::env::home_dir()) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => self.directory.join(name),
        }
    }

    /// The content of a named file, or why it can't be read.
    pub fn content(&self, name: &str) -> Result<&[u8], &str> {
        match self.contents.get(name) {
            Some(Ok(content)) => Ok(content),
            Some(Err(reason)) => Err(reason),
            None => Err("it was not read"),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    // Not `fs_err`: the caller shows the path already.
    let metadata = fs_err::metadata(path).map_err(|error| reason(&error))?;
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    if metadata.len() > LIMIT {
        return Err(format!("it is larger than {LIMIT} bytes"));
    }
    fs_err::read(path).map_err(|error| reason(&error))
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        kind => kind.to_string(),
    }
}

/// Everything that names a file whose content matters.
fn named(inventory: &Inventory) -> Vec<&Spanned<String>> {
    let packages = &inventory.packages;
    let keys = packages.apt.iter().map(|(_, repository)| &repository.key);
    let keys = keys.chain(packages.rpm.iter().map(|(_, repository)| &repository.key));
    let keys = keys.filter_map(|key: &Spanned<Key>| key.file.as_ref());
    let authorities = inventory
        .registries
        .iter()
        .filter_map(|registry| registry.ca.as_ref())
        .map(|ca| &ca.file);
    let ssh = std::iter::once(&inventory.ssh).chain(inventory.hosts.iter().map(|host| &host.ssh));
    let identities = ssh.flat_map(|ssh| {
        let jump = ssh.jump.as_ref().and_then(|jump| jump.identities.as_ref());
        ssh.identities.iter().chain(jump).flatten()
    });
    let manifest = inventory.cluster.calico.manifest.path.as_ref();
    keys.chain(authorities)
        .chain(identities)
        .chain(manifest)
        .collect()
}
