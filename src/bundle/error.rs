//! Why a bundle can't be written or used.

use std::io;

/// Why a bundle can't be written or used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file can't be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not what was written.
    #[error("the bundle is damaged: {0}")]
    Damaged(String),
    /// It is of something else than what is asked for; the text says of what.
    #[error("{0}")]
    Foreign(String),
    /// A later program made it.
    #[error(
        "the bundle was made by ci-bootstrap {program} in format {format}, and this program knows formats up to {known}; use that program or a newer one",
        known = super::FORMAT
    )]
    Newer {
        /// Its format.
        format: u32,
        /// The program that made it.
        program: String,
    },
    /// It is encrypted and no key was given.
    #[error("the bundle is encrypted; give the key with --identity FILE")]
    Sealed,
    /// The key does not fit, or is no key.
    #[error("{0}")]
    Key(String),
}
