//! SHA-256 as people compare it.

use sha2::{Digest as _, Sha256};

/// The digest in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
