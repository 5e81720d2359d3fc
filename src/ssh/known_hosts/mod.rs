//! Which host keys are known: OpenSSH's `known_hosts` files, read with OpenSSH's meaning.
//!
//! A pure function of the files' text. russh has a checker of its own, but it passes over `@revoked`, wildcards,
//! tabs and key types, so that a host which `ssh` refuses would be let in.

mod append;
mod entry;
mod pattern;
mod revoked;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, PublicKey};

pub use append::append;
use entry::{EntryMarker, KnownHostsEntry};
pub(super) use pattern::glob;

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePosition {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: usize,
}

impl fmt::Display for FilePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// What the files say about a key that a host showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKeyMatch {
    /// The key is on record for this host.
    Trusted,
    /// Nothing is on record for this host.
    Unknown,
    /// Another key is on record for this host.
    Changed(FilePosition),
    /// This key has been revoked.
    Revoked(FilePosition),
}

/// The lines of all files.
#[derive(Debug, Clone, Default)]
pub struct KnownHosts {
    entries: Vec<KnownHostsEntry>,
    /// Keys that are revoked whatever the host's name.
    revoked_keys: Vec<(KeyData, FilePosition)>,
}

impl KnownHosts {
    /// Reads the files; one that does not exist is an empty one. Those of `revoked_keys` (see `RevokedHostKeys` in `ssh_config(5)`) must exist.
    ///
    /// # Errors
    /// When a file exists and can't be read, or one of revoked keys can't be understood: a revocation could stand there.
    pub fn load(files: &[PathBuf], revoked_keys: &[PathBuf]) -> io::Result<Self> {
        let mut known = Self::default();
        for file in files {
            match fs_err::read(file) {
                Ok(bytes) => known.add(file, &String::from_utf8_lossy(&bytes)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        for file in revoked_keys {
            known.revoked_keys.extend(revoked::load(file)?);
        }
        Ok(known)
    }

    /// Adds the text of one file; lines that can't be understood are passed over, as OpenSSH does.
    pub fn add(&mut self, file: &Path, text: &str) {
        self.entries.extend(entry::parse(file, text));
    }

    /// Judges the key that `host` showed on `port`.
    pub fn check(&self, host: &str, port: u16, key: &PublicKey) -> HostKeyMatch {
        let names = Names::new(host, port);
        if let Some(place) = self.revoked(&names, key.key_data()) {
            return HostKeyMatch::Revoked(place);
        }
        let trusted = |name: &str| {
            self.hosts(name)
                .any(|entry| entry.key.key_data() == key.key_data())
        };
        // A bare name vouches for every port, but only a line with the port says that its key changed.
        if trusted(&names.own) || trusted(&names.bare) {
            return HostKeyMatch::Trusted;
        }
        self.hosts(&names.own)
            .next()
            .map_or(HostKeyMatch::Unknown, |entry| {
                HostKeyMatch::Changed(entry.place.clone())
            })
    }

    /// The algorithms of the keys on record: asked for first, so that the host shows a key which can be judged.
    pub fn algorithms(&self, host: &str, port: u16) -> Vec<Algorithm> {
        let names = Names::new(host, port);
        self.hosts(&names.own)
            .chain(self.hosts(&names.bare))
            .map(|entry| entry.key.algorithm())
            .collect()
    }

    /// The authorities whose certificates prove that a host is `host`.
    pub fn authorities(&self, host: &str, port: u16) -> Vec<PublicKey> {
        let names = Names::new(host, port);
        self.marked(EntryMarker::Authority)
            .filter(|entry| names.any(entry))
            .map(|entry| entry.key.clone())
            .collect()
    }

    /// Where `key` (a host's, or that of an authority) is revoked for this host.
    pub(super) fn revocation(&self, host: &str, port: u16, key: &KeyData) -> Option<FilePosition> {
        self.revoked(&Names::new(host, port), key)
    }

    fn revoked(&self, names: &Names, key: &KeyData) -> Option<FilePosition> {
        let everywhere = self.revoked_keys.iter().find(|(revoked, _)| revoked == key);
        let everywhere = everywhere.map(|(_, place)| place.clone());
        everywhere.or_else(|| {
            self.marked(EntryMarker::Revoked)
                .find(|entry| entry.key.key_data() == key && names.any(entry))
                .map(|entry| entry.place.clone())
        })
    }

    fn hosts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a KnownHostsEntry> {
        self.marked(EntryMarker::None)
            .filter(move |entry| entry.matches(name))
    }

    fn marked(&self, marker: EntryMarker) -> impl Iterator<Item = &KnownHostsEntry> {
        self.entries.iter().filter(move |entry| entry.marker == marker)
    }
}

/// How a host is called in the files: with its port, and without.
struct Names {
    /// `host`, or `[host]:port` where the port is not 22.
    own: String,
    bare: String,
}

impl Names {
    fn new(host: &str, port: u16) -> Self {
        let bare = host.to_ascii_lowercase();
        Self {
            own: name(&bare, port),
            bare,
        }
    }

    /// Revocations and authorities of the bare name count on every port.
    fn any(&self, entry: &KnownHostsEntry) -> bool {
        entry.matches(&self.own) || entry.matches(&self.bare)
    }
}

/// How `host` on `port` is written in these files.
pub fn name(host: &str, port: u16) -> String {
    if port == super::target::DEFAULT_PORT {
        host.to_owned()
    } else {
        format!("[{host}]:{port}")
    }
}
