//! Reading a bundle: every member against its sum.

use std::collections::BTreeMap;
use std::io::{self, Read};

use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256};
use tar::Archive;

use super::about::UNSIGNED_FORMAT;
use super::pack::HashingReader;
use super::signature::verified_signer;
use super::{ABOUT, BundleError, BundleHeader, SIGNATURE, SUMS};

/// Members that are read whole to be looked at are never longer than this.
const LONGEST_TEXT: u64 = 16 << 20;

/// What a whole bundle holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleContents {
    /// What it is of.
    pub about: BundleHeader,
    /// Names and sums of its members.
    pub sums: BTreeMap<String, String>,
    /// The sum of the sums: what tells this bundle from every other.
    pub id: String,
    /// The public key that has signed it: algorithm and key. None has signed a bundle of the first format. Whose it is, is not known
    /// here.
    pub signer: Option<String>,
}

/// What a bundle is of, from its first member alone. Nothing is checked.
///
/// # Errors
/// When it is no bundle.
pub fn about(source: impl Read) -> Result<BundleHeader, BundleError> {
    let mut archive = Archive::new(GzDecoder::new(source));
    let mut entries = archive.entries().map_err(damaged)?;
    let Some(entry) = entries.next() else {
        return Err(BundleError::Damaged("it is empty".to_owned()));
    };
    let entry = entry.map_err(damaged)?;
    if entry.path().map_err(damaged)?.to_str() != Some(ABOUT) {
        return Err(BundleError::Damaged(format!("it does not begin with {ABOUT}")));
    }
    BundleHeader::parse(&text(entry)?)
}

/// A member as it passes.
pub struct BundleMember<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its length in bytes, as the archive has it.
    pub size: u64,
    /// What it holds.
    pub content: &'a mut dyn Read,
}

/// Reads a whole bundle and checks every member. `accept` sees what it is of before anything else is read. `keep` is shown
/// each of the others as it passes and must read what it wants of it; what it has kept is good only when this returns
/// without an error.
///
/// # Errors
/// When the bundle is damaged or newer than the program, or `accept` or `keep` fails.
pub fn read(
    source: impl Read,
    accept: impl FnOnce(&BundleHeader) -> Result<(), BundleError>,
    mut keep: impl FnMut(BundleMember<'_>) -> Result<(), BundleError>,
) -> Result<BundleContents, BundleError> {
    let mut accept = Some(accept);
    let mut archive = Archive::new(GzDecoder::new(source));
    let (mut about, mut found, mut ending) = (None, BTreeMap::new(), Ending::default());
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = entry.path().map_err(damaged)?.to_string_lossy().into_owned();
        if ending.take(&name, entry.by_ref())? {
            continue;
        }
        // The sum of the last one alone would be compared.
        if found.contains_key(&name) {
            return Err(BundleError::Damaged(format!("{name} stands in it twice")));
        }
        let size = entry.size();
        let mut hashing = HashingReader {
            inner: entry,
            digest: Sha256::new(),
            length: 0,
        };
        if let Some(accept) = accept.take() {
            let first = first(&name, &mut hashing)?;
            accept(&first)?;
            about = Some(first);
        } else {
            keep(BundleMember {
                name: &name,
                size,
                content: &mut hashing,
            })?;
        }
        io::copy(&mut hashing, &mut io::sink()).map_err(damaged)?;
        found.insert(name, hex::encode(hashing.digest.finalize()));
    }
    // The archive's end comes before the file's, which has the compression's own sum.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(damaged)?;
    let (Some(about), Some(sums)) = (about, &ending.sums) else {
        return Err(BundleError::Damaged("it ends early".to_owned()));
    };
    compare(&found, sums)?;
    Ok(BundleContents {
        signer: ending.signer(&about)?,
        about,
        sums: found,
        id: hex::encode(Sha256::digest(sums)),
    })
}

/// The members that stand for the others.
#[derive(Default)]
struct Ending {
    sums: Option<Vec<u8>>,
    signature: Option<Vec<u8>>,
}

impl Ending {
    /// Takes a member of the ending. False for every other, which may only stand before it.
    fn take(&mut self, name: &str, content: impl Read) -> Result<bool, BundleError> {
        match (name, &self.sums, &self.signature) {
            (SUMS, None, None) => self.sums = Some(text(content)?),
            (SIGNATURE, Some(_), None) => self.signature = Some(text(content)?),
            (_, None, None) => return Ok(false),
            _ => return Err(BundleError::Damaged(format!("{name} comes after {SUMS}"))),
        }
        Ok(true)
    }

    /// Who has signed the sums. From its second format on, a bundle is signed.
    fn signer(&self, about: &BundleHeader) -> Result<Option<String>, BundleError> {
        match (&self.sums, &self.signature) {
            (Some(sums), Some(signature)) => verified_signer(sums, signature).map(Some),
            _ if about.format <= UNSIGNED_FORMAT => Ok(None),
            _ => Err(BundleError::Damaged(format!("it ends without {SIGNATURE}"))),
        }
    }
}

fn first(name: &str, content: &mut impl Read) -> Result<BundleHeader, BundleError> {
    if name != ABOUT {
        return Err(BundleError::Damaged(format!("it does not begin with {ABOUT}")));
    }
    BundleHeader::parse(&text(content)?)
}

fn text(content: impl Read) -> Result<Vec<u8>, BundleError> {
    let mut text = Vec::new();
    content
        .take(LONGEST_TEXT)
        .read_to_end(&mut text)
        .map_err(damaged)?;
    Ok(text)
}

fn compare(found: &BTreeMap<String, String>, sums: &[u8]) -> Result<(), BundleError> {
    let sums = String::from_utf8_lossy(sums);
    let written: BTreeMap<_, _> = sums
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(sum, name)| (name.to_owned(), sum.to_owned()))
        .collect();
    let names = written.keys().chain(found.keys());
    let wrong = names
        .into_iter()
        .find(|name| written.get(*name) != found.get(*name));
    match wrong {
        Some(name) => Err(BundleError::Damaged(format!("{name} is not what {SUMS} says"))),
        None => Ok(()),
    }
}

/// An archive that can't be read is damaged, whatever the library calls it.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn damaged(error: io::Error) -> BundleError {
    BundleError::Damaged(error.to_string())
}
