//! Which algorithms are offered to a server.

use std::borrow::Cow;

use russh::keys::{Algorithm, HashAlg};
use russh::{Preferred, cipher};

/// AES first: with hardware support it moves nearly twice what `ChaCha20` does. Everything else is russh's order, which
/// insists on strict key exchange, knows no SHA-1 and starts with the post-quantum exchange. That one costs a server more
/// than Curve25519, but once for each host and run, and what is recorded today of the cluster's credentials stays closed.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// What to offer when keys of the algorithms in `recorded` are on record for a host, and whether to accept host
/// certificates.
pub(super) fn preferred(recorded: &[Algorithm], certificates: bool) -> Preferred {
    let keys = host_keys(recorded);
    Preferred {
        cipher: Cow::Borrowed(CIPHERS),
        host_key_certificates: if certificates {
            Cow::Owned(keys.clone())
        } else {
            Cow::Borrowed(&[])
        },
        key: Cow::Owned(keys),
        ..Preferred::default()
    }
}

/// Only keys of one algorithm, to ask for each that a host has.
pub(super) fn only(algorithm: &Algorithm) -> Preferred {
    let keys = host_keys(&[])
        .into_iter()
        .filter(|key| same_kind(key, algorithm))
        .collect();
    Preferred {
        cipher: Cow::Borrowed(CIPHERS),
        key: Cow::Owned(keys),
        ..Preferred::default()
    }
}

/// The recorded ones first: a host that shows another of its keys could not be judged.
fn host_keys(recorded: &[Algorithm]) -> Vec<Algorithm> {
    let sha1 = Algorithm::Rsa { hash: None };
    let offered = Preferred::DEFAULT.key.iter().filter(|key| **key != sha1).cloned();
    let (mut first, rest): (Vec<_>, Vec<_>) =
        offered.partition(|key| recorded.iter().any(|known| same_kind(known, key)));
    first.extend(rest);
    first
}

/// RSA keys are one kind, whatever the hash of their signatures.
fn same_kind(one: &Algorithm, other: &Algorithm) -> bool {
    one == other || (is_rsa(one) && is_rsa(other))
}

pub(super) fn is_rsa(algorithm: &Algorithm) -> bool {
    matches!(algorithm, Algorithm::Rsa { .. })
}

/// The kinds of host keys that servers have nowadays.
pub(super) fn host_key_kinds() -> Vec<Algorithm> {
    let mut kinds: Vec<Algorithm> = Vec::new();
    for key in host_keys(&[]) {
        if !kinds.iter().any(|kind| same_kind(kind, &key)) {
            kinds.push(key);
        }
    }
    kinds
}

/// The hash for an RSA signature when the server did not say which it knows.
pub(super) const RSA_DEFAULT: HashAlg = HashAlg::Sha512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_kinds_come_first_and_sha1_never() {
        let keys = host_keys(&[Algorithm::Rsa { hash: None }]);
        assert!(is_rsa(&keys[0]));
        assert!(is_rsa(&keys[1]), "both hashes of RSA come before the rest");
        assert!(keys.contains(&Algorithm::Ed25519));
        assert!(!keys.contains(&Algorithm::Rsa { hash: None }));
        assert_eq!(host_keys(&[]).len(), keys.len());
    }

    #[test]
    fn asking_for_one_kind_offers_no_other() {
        assert_eq!(only(&Algorithm::Ed25519).key.as_ref(), [Algorithm::Ed25519]);
        let rsa = Algorithm::Rsa {
            hash: Some(HashAlg::Sha512),
        };
        assert!(only(&rsa).key.iter().all(is_rsa));
    }
}
