//! What of a bundle goes to the host that a cluster is restored on.

use std::io::{Cursor, Read};

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

use super::{BundleError, Contents, read};

/// Members that a restore needs: etcd's state, and the keys that certificates are made with. Certificates themselves are made
/// anew, with the names and addresses that the restored control plane has.
const NEEDED: [&str; 9] = [
    "etcd.db",
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
pub struct Payload {
    /// The bundle's identity.
    pub id: String,
    /// The archive.
    pub archive: Vec<u8>,
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Payload")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Payload {
    /// Reads and checks a whole bundle and takes out what the host needs.
    ///
    /// # Errors
    /// When the bundle is damaged, newer than the program, or lacks something.
    pub fn of(source: impl Read) -> Result<(Contents, Self), BundleError> {
        let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let contents = read(source, |name, content| {
            if NEEDED.contains(&name) {
                let mut data = Vec::new();
                let damaged = |error: std::io::Error| BundleError::Damaged(format!("{name}: {error}"));
                content.read_to_end(&mut data).map_err(damaged)?;
                let mut header = Header::new_gnu();
                header.set_size(data.len() as u64);
                header.set_mode(if Self::is_secret(name) { 0o600 } else { 0o644 });
                tar.append_data(&mut header, name, Cursor::new(data))?;
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
