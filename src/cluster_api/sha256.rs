//! SHA-256 as people compare it.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// The digest in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
