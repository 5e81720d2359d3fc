//! The file that holds a cluster's state: how it is written, read and checked. The only user of age.
//!
//! A bundle is a gzipped tar archive, sealed for an age recipient when asked. Its first member, `bundle.json`, says what it is of; its
//! last but one, `SHA256SUMS`, has the sum of every other. A file that ends early has no sums, and is no bundle. The last,
//! `SHA256SUMS.sig`, is the signature of the sums by a key of the cluster.

mod about;
mod error;
mod list;
mod pack;
mod payload;
mod read;
mod seal;
mod signature;
#[cfg(test)]
mod tests;

pub use about::{BundleHeader, FORMAT};
pub use error::BundleError;
pub use list::{BundleFile, file_name, list, outdated};
pub use pack::BundleWriter;
pub use payload::RestoreArchive;
pub use read::{BundleContents, BundleMember, about, read};
pub use seal::{BundleOutput, Recipient, TransitKey, open, recipients};
pub use signature::{NAMESPACE, SIGNING_KEY};

/// First member: what the bundle is of.
const ABOUT: &str = "bundle.json";
/// The sums of all others, as `sha256sum` writes them.
const SUMS: &str = "SHA256SUMS";
/// Last member: the signature of the sums.
const SIGNATURE: &str = "SHA256SUMS.sig";
/// Jenkins' home, a gzipped tar archive in pieces: `cat jenkins-home.tar.gz.* | tar -xz`.
pub const JENKINS_HOME: &str = "jenkins-home.tar.gz";
