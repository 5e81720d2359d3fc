//! Host certificates: keys that a `@cert-authority` of `known_hosts` vouches for.

use std::time::{SystemTime, UNIX_EPOCH};

use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Certificate, HashAlg};

use super::known_hosts::{KnownHosts, glob};

/// Checks what russh leaves to its user: who signed, for which host, what kind of certificate, and when.
///
/// # Errors
/// Why the certificate proves nothing.
pub(super) fn check(
    certificate: &Certificate,
    known: &KnownHosts,
    host: &str,
    port: u16,
    now: SystemTime,
) -> Result<(), String> {
    for key in [certificate.signature_key(), certificate.public_key()] {
        if let Some(place) = known.revocation(host, port, key) {
            return Err(format!("its key is marked as revoked in {place}"));
        }
    }
    if certificate.cert_type() != CertType::Host {
        return Err("it is not the certificate of a host".to_owned());
    }
    if !certificate.critical_options().is_empty() {
        return Err("it has critical options, none of which is known for hosts".to_owned());
    }
    let host = host.to_ascii_lowercase();
    let principals = certificate.valid_principals();
    if !principals.iter().any(|principal| glob(principal, &host)) {
        return Err(format!("it is for {}, not for {host}", principals.join(", ")));
    }
    let authorities: Vec<_> = known
        .authorities(&host, port)
        .iter()
        .map(|key| key.fingerprint(HashAlg::Sha256))
        .collect();
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    certificate
        .validate_at(now, &authorities)
        .map_err(|_| "it is expired, not yet valid, or not signed by a known @cert-authority".to_owned())
}
