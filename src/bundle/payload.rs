//! What of a bundle goes to the host that a cluster is restored on.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

use super::{BundleContents, BundleError, BundleHeader, BundleMember, read};

/// etcd's state.
const STATE: &str = "etcd.db";
/// The most that etcd's documentation lets it hold.
const LARGEST_STATE: u64 = 8 << 30;
/// A key or certificate has a few KiB.
const LONGEST_KEY: u64 = 1 << 20;

/// Members that a restore needs: etcd's state, and the keys that certificates are made with. Certificates themselves are made
/// again, with the names and addresses that the restored control plane has.
const NEEDED: [&str; 9] = [
    STATE,
    "pki/ca.crt",
    "pki/ca.key",
    "pki/etcd/ca.crt",
    "pki/etcd/ca.key",
    "pki/front-proxy-ca.crt",
    "pki/front-proxy-ca.key",
    "pki/sa.key",
    "pki/sa.pub",
];

/// A checked bundle's part for the host, as a gzipped tar archive in memory: it holds keys, and no file may.
#[derive(Clone)]
pub struct RestoreArchive {
    /// The bundle's identity.
    pub id: String,
    /// The archive.
    pub archive: Vec<u8>,
}

/// Adds a member as it passes: etcd's state may be as large as the memory.
fn add<W: Write>(tar: &mut Builder<W>, member: BundleMember<'_>) -> Result<(), BundleError> {
    let BundleMember { name, size, content } = member;
    let longest = if name == STATE { LARGEST_STATE } else { LONGEST_KEY };
    if size > longest {
        return Err(BundleError::Damaged(format!(
            "{name} has {size} bytes, more than {longest}"
        )));
    }
    let mut header = Header::new_gnu();
    header.set_size(size);
    header.set_mode(if RestoreArchive::is_secret(name) {
        0o600
    } else {
        0o644
    });
    tar.append_data(&mut header, name, content)
        .map_err(|error| BundleError::Damaged(format!("{name}: {error}")))
}

impl std::fmt::Debug for RestoreArchive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RestoreArchive")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl RestoreArchive {
    /// Reads and checks a whole bundle that `accept` takes by what it is of, and takes out what the host needs.
    ///
    /// # Errors
    /// When the bundle is damaged, newer than the program, not accepted, or lacks something.
    pub fn of(
        source: impl Read,
        accept: impl FnOnce(&BundleHeader) -> Result<(), BundleError>,
    ) -> Result<(BundleContents, Self), BundleError> {
        let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let contents = read(source, accept, |member| {
            if NEEDED.contains(&member.name) {
                add(&mut tar, member)?;
            }
            Ok(())
        })?;
        if let Some(missing) = NEEDED.iter().find(|name| !contents.sums.contains_key(**name)) {
            return Err(BundleError::Damaged(format!("it holds no {missing}")));
        }
        let archive = tar.into_inner()?.finish()?;
        let id = contents.id.clone();
        Ok((contents, Self { id, archive }))
    }

    fn is_secret(name: &str) -> bool {
        !name.contains("ca.crt")
    }
}
