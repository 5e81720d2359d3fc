//! Writing a bundle, member by member.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use tar::{Archive, Builder, Header};

use super::signature::{LONGEST_KEY, SigningKey};
use super::{ABOUT, BundleError, BundleHeader, SIGNATURE, SIGNING_KEY, SUMS};

/// Bytes of one member of what is added in pieces.
const PIECE: u64 = 8 << 20;

/// A bundle that is being written. It is whole only after [`BundleWriter::finish`].
pub struct BundleWriter<W: Write> {
    tar: Builder<GzEncoder<W>>,
    sums: BTreeMap<String, String>,
    key: Option<SigningKey>,
}

impl<W: Write> std::fmt::Debug for BundleWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BundleWriter")
            .field("sums", &self.sums)
            .finish_non_exhaustive()
    }
}

impl<W: Write> BundleWriter<W> {
    /// Begins a bundle with what it is of.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn begin(sink: W, about: &BundleHeader) -> Result<Self, BundleError> {
        // What is big in it has been compressed by nobody yet; a higher level costs much and gives little.
        let tar = Builder::new(GzEncoder::new(sink, Compression::fast()));
        let mut packer = Self {
            tar,
            sums: BTreeMap::new(),
            key: None,
        };
        let text = serde_json::to_vec_pretty(about).map_err(io::Error::from)?;
        packer.add(ABOUT, &text)?;
        Ok(packer)
    }

    /// Adds a member.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn add(&mut self, name: &str, content: &[u8]) -> Result<(), BundleError> {
        self.append(name, content.len() as u64, content)
    }

    /// Adds the files of a gzipped tar archive as it arrives, each under its own name. [`SIGNING_KEY`] is no member: the bundle
    /// is signed with it.
    ///
    /// # Errors
    /// When the archive ends early, its key is none, or the bundle can't be written.
    pub fn add_archive(&mut self, archive: impl Read) -> Result<(), BundleError> {
        let mut archive = Archive::new(GzDecoder::new(archive));
        for entry in archive.entries()? {
            let entry = entry?;
            if entry.header().entry_type().is_file() {
                let name = entry.path()?.to_string_lossy().into_owned();
                if name == SIGNING_KEY {
                    self.key = Some(SigningKey::read(entry.take(LONGEST_KEY))?);
                    continue;
                }
                self.append(&name, entry.size(), entry)?;
            }
        }
        Ok(())
    }

    /// Adds something whose length shows only at its end, as members `NAME.00000`, `NAME.00001` and so on.
    ///
    /// # Errors
    /// When it can't be read or the bundle can't be written.
    pub fn add_in_pieces(&mut self, name: &str, mut content: impl Read) -> Result<(), BundleError> {
        for number in 0.. {
            let mut piece = Vec::new();
            content.by_ref().take(PIECE).read_to_end(&mut piece)?;
            if piece.is_empty() {
                break;
            }
            self.add(&format!("{name}.{number:05}"), &piece)?;
        }
        Ok(())
    }

    fn append(&mut self, name: &str, size: u64, content: impl Read) -> Result<(), BundleError> {
        let mut hashing = HashingReader {
            inner: content,
            digest: Sha256::new(),
            length: 0,
        };
        self.tar.append_data(&mut header(size), name, &mut hashing)?;
        if hashing.length != size {
            return Err(BundleError::Damaged(format!("{name} ended early")));
        }
        self.sums
            .insert(name.to_owned(), hex::encode(hashing.digest.finalize()));
        Ok(())
    }

    /// The public key that the bundle is going to be signed with; none before its private half has arrived.
    ///
    /// # Errors
    /// When the key can't be written as text.
    pub fn signer(&self) -> Result<Option<String>, BundleError> {
        self.key.as_ref().map(SigningKey::public).transpose()
    }

    /// Ends the bundle with the sums of its members and their signature, and gives back what it was written to.
    ///
    /// # Errors
    /// When it can't be written, or no key has arrived.
    pub fn finish(mut self) -> Result<W, BundleError> {
        let sums: String = self
            .sums
            .iter()
            .map(|(name, sum)| format!("{sum}  {name}\n"))
            .collect();
        let Some(key) = &self.key else {
            return Err(BundleError::Key(
                "no control plane has sent the key that bundles are signed with".to_owned(),
            ));
        };
        let signature = key.sign(sums.as_bytes())?;
        for (name, text) in [(SUMS, &sums), (SIGNATURE, &signature)] {
            self.tar
                .append_data(&mut header(text.len() as u64), name, text.as_bytes())?;
        }
        Ok(self.tar.into_inner()?.finish()?)
    }
}

fn header(size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o600);
    header
}

/// Hashes what is read through it.
pub(super) struct HashingReader<R> {
    pub(super) inner: R,
    pub(super) digest: Sha256,
    pub(super) length: u64,
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.digest.update(&buffer[..count]);
        self.length += count as u64;
        Ok(count)
    }
}
