//! Encryption for age recipients, and files that may be encrypted.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::path::Path;
use std::str::FromStr as _;

use age::stream::StreamWriter;
pub use age::x25519::Recipient;
use age::{Decryptor, Encryptor, IdentityFile};

use super::BundleError;

/// How an encrypted file begins.
const MAGIC: &[u8] = b"age-encryption.org/";

/// Recipients of the form `age1…`.
///
/// # Errors
/// For the first that is none.
pub fn recipients(texts: &[String]) -> Result<Vec<Recipient>, BundleError> {
    let parse = |text: &String| {
        Recipient::from_str(text).map_err(|error| {
            BundleError::Key(format!(
                "--recipient {text}: {error}; it is what `age-keygen -y` prints, and begins with age1"
            ))
        })
    };
    texts.iter().map(parse).collect()
}

/// What a bundle is written to: a file, encrypted or not.
pub enum BundleOutput {
    /// As it is.
    Plain(File),
    /// For recipients only.
    Sealed(Box<StreamWriter<File>>),
}

impl BundleOutput {
    /// A sink that encrypts where there are recipients.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn new(file: File, recipients: &[Recipient]) -> Result<Self, BundleError> {
        if recipients.is_empty() {
            return Ok(Self::Plain(file));
        }
        let recipients = recipients
            .iter()
            .map(|recipient| recipient as &dyn age::Recipient);
        let encryptor =
            Encryptor::with_recipients(recipients).map_err(|error| BundleError::Key(error.to_string()))?;
        Ok(Self::Sealed(Box::new(encryptor.wrap_output(file)?)))
    }

    /// Writes what is still held back, down to the disk.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn finish(self) -> Result<(), BundleError> {
        let file = match self {
            Self::Plain(file) => file,
            Self::Sealed(writer) => writer.finish()?,
        };
        Ok(file.sync_all()?)
    }
}

impl Write for BundleOutput {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(data),
            Self::Sealed(writer) => writer.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Sealed(writer) => writer.flush(),
        }
    }
}

/// Seals a file that waits to be sent on. It lives in memory only, so that nobody can read what a killed run leaves.
pub struct TransitKey(age::x25519::Identity);

impl std::fmt::Debug for TransitKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransitKey").finish_non_exhaustive()
    }
}

impl TransitKey {
    /// A new key.
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }

    /// Whom the file is sealed for.
    pub fn recipient(&self) -> Recipient {
        self.0.to_public()
    }

    /// What was sealed.
    ///
    /// # Errors
    /// When the file can't be read or was sealed for somebody else.
    pub fn open(&self, file: File) -> Result<Box<dyn Read + Send>, BundleError> {
        let damaged = |error: age::DecryptError| BundleError::Damaged(error.to_string());
        let decryptor = Decryptor::new_buffered(BufReader::new(file)).map_err(damaged)?;
        let reader = decryptor
            .decrypt(std::iter::once(&self.0 as &dyn age::Identity))
            .map_err(damaged)?;
        Ok(Box::new(reader))
    }
}

/// Opens a bundle's file for reading; one that is encrypted with the key in `identity`.
///
/// # Errors
/// When it can't be read, or the key is missing or another.
pub fn open(path: &Path, identity: Option<&Path>) -> Result<Box<dyn Read + Send>, BundleError> {
    let mut file = BufReader::new(fs_err::File::open(path)?);
    if !file.fill_buf()?.starts_with(MAGIC) {
        return Ok(Box::new(file));
    }
    let Some(identity) = identity else {
        return Err(BundleError::Sealed);
    };
    let wrong = |error: &dyn std::fmt::Display| BundleError::Key(format!("{}: {error}", identity.display()));
    let keys = IdentityFile::from_buffer(BufReader::new(fs_err::File::open(identity)?))
        .map_err(|error| wrong(&error))?
        .into_identities()
        .map_err(|error| wrong(&error))?;
    let decryptor = Decryptor::new_buffered(file).map_err(|error| BundleError::Damaged(error.to_string()))?;
    let keys = keys.iter().map(|key| &**key as &dyn age::Identity);
    let reader = decryptor.decrypt(keys).map_err(|error| wrong(&error))?;
    Ok(Box::new(reader))
}
