//! The files that an inventory names, read with it, so that checking it needs no further look at the disk.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::folder::{self, BuildContextFile};
use super::{Inventory, JenkinsSpec, KeySpec};
use crate::yaml::Spanned;

/// Largest file that is taken for a key, a certificate or a manifest.
const LIMIT: u64 = 8 << 20;

/// What the named files hold, by the name that the inventory gives them.
#[derive(Debug, Clone, Default)]
pub struct Files {
    directory: PathBuf,
    contents: BTreeMap<String, Result<Vec<u8>, String>>,
    folders: BTreeMap<String, Result<Vec<BuildContextFile>, String>>,
}

impl Files {
    /// Reads the files that `inventory`, a file in `directory`, names; private keys are looked at, but not kept.
    pub(super) fn read(inventory: &Inventory, directory: &Path) -> Self {
        let mut files = Self {
            directory: directory.to_path_buf(),
            contents: BTreeMap::new(),
            folders: BTreeMap::new(),
        };
        for name in public(inventory) {
            let content = open(&files.path(name)).and_then(read);
            files.contents.insert(name.value.clone(), content);
        }
        for name in private_keys(inventory) {
            let content = open(&files.path(name)).map(|_| Vec::new());
            files.contents.entry(name.value.clone()).or_insert(content);
        }
        for name in folders(inventory) {
            let content = folder::read(&files.path(name));
            files.folders.insert(name.value.clone(), content);
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

    /// The files of a named folder, or why they can't be read.
    pub fn folder(&self, name: &str) -> Result<&[BuildContextFile], &str> {
        match self.folders.get(name) {
            Some(Ok(files)) => Ok(files),
            Some(Err(reason)) => Err(reason),
            None => Err("it was not read"),
        }
    }
}

fn open(path: &Path) -> Result<fs_err::File, String> {
    // A directory or a pipe must not be opened: it could wait for ever.
    let metadata = fs_err::metadata(path).map_err(|error| reason(&error))?;
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    fs_err::File::open(path).map_err(|error| reason(&error))
}

fn read(file: fs_err::File) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    file.take(LIMIT + 1)
        .read_to_end(&mut content)
        .map_err(|error| reason(&error))?;
    if content.len() as u64 > LIMIT {
        return Err(format!("it is larger than {} MiB", LIMIT >> 20));
    }
    Ok(content)
}

pub(super) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        kind => kind.to_string(),
    }
}

/// Files whose content becomes part of the cluster.
fn public(inventory: &Inventory) -> impl Iterator<Item = &Spanned<String>> {
    let packages = &inventory.packages;
    let keys = packages.apt.iter().map(|(_, repository)| &repository.key);
    let keys = keys.chain(packages.rpm.iter().map(|(_, repository)| &repository.key));
    let keys = keys.filter_map(|key: &Spanned<KeySpec>| key.file.as_ref());
    let authorities = inventory
        .registries
        .iter()
        .filter_map(|registry| registry.ca.as_ref());
    let manifest = inventory.cluster.calico.manifest.path.as_ref();
    let templates = inventory.jenkins.iter().flat_map(JenkinsSpec::files);
    let storage = inventory
        .storage
        .iter()
        .flat_map(|storage| &storage.class.manifests);
    keys.chain(authorities.map(|ca| &ca.file))
        .chain(manifest)
        .chain(templates)
        .chain(storage.filter_map(|manifest| manifest.path.as_ref()))
}

/// Folders from which images are built.
fn folders(inventory: &Inventory) -> impl Iterator<Item = &Spanned<String>> {
    let images = inventory.jenkins.iter().flat_map(|jenkins| &jenkins.images);
    images.map(|image| &image.folder)
}

fn private_keys(inventory: &Inventory) -> impl Iterator<Item = &Spanned<String>> {
    let ssh = std::iter::once(&inventory.ssh).chain(inventory.hosts.iter().map(|host| &host.ssh));
    ssh.flat_map(|ssh| {
        let jump = ssh.jump.as_ref().and_then(|jump| jump.identities.as_ref());
        ssh.identities.iter().chain(jump).flatten()
    })
}
