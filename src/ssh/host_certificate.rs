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
        return Err(format!("it is for [{}], not for {host}", principals.join(", ")));
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

    use std::path::Path;
    use std::time::Duration;

    use russh::keys::ssh_key::certificate::Builder;
    use russh::keys::ssh_key::private::Ed25519Keypair;
    use russh::keys::{PrivateKey, PublicKey};

    use super::*;

    fn private(seed: u8) -> PrivateKey {
        Ed25519Keypair::from_seed(&[seed; 32]).into()
    }

    fn openssh(key: &PublicKey) -> String {
        key.to_openssh().unwrap()
    }

    /// A certificate of the host key 1 by the authority 2, valid from 1000 to 2000.
    fn certificate(kind: CertType, principal: Option<&str>, option: Option<&str>) -> Certificate {
        let mut builder = Builder::new(vec![7; 16], private(1).public_key().clone(), 1000, 2000).unwrap();
        builder.cert_type(kind).unwrap();
        match principal {
            Some(name) => builder.valid_principal(name).unwrap(),
            None => builder.all_principals_valid().unwrap(),
        };
        if let Some(name) = option {
            builder.critical_option(name, "").unwrap();
        }
        builder.sign(&private(2)).unwrap()
    }

    fn judged(certificate: &Certificate, known_hosts: &str, now: u64) -> Result<(), String> {
        let mut known = KnownHosts::default();
        known.add(Path::new("kh"), known_hosts);
        check(
            certificate,
            &known,
            "CP1",
            2222,
            UNIX_EPOCH + Duration::from_secs(now),
        )
    }

    #[test]
    fn every_condition_counts() {
        let authority = format!("@cert-authority cp* {}\n", openssh(private(2).public_key()));
        let good = certificate(CertType::Host, Some("cp1"), None);
        assert_eq!(judged(&good, &authority, 1500), Ok(()));

        let refused = |certificate: &Certificate, known: &str, now, reason: &str| {
            let said = judged(certificate, known, now).unwrap_err();
            assert!(said.contains(reason), "{said}");
        };
        refused(&good, &authority, 2500, "expired");
        refused(&good, &authority, 500, "not yet valid");
        refused(&good, "", 1500, "not signed by a known");
        let other = authority.replace("cp*", "w*");
        refused(&good, &other, 1500, "not signed by a known");
        for revoked in [private(1), private(2)] {
            let known = format!("{authority}@revoked * {}\n", openssh(revoked.public_key()));
            refused(&good, &known, 1500, "marked as revoked in kh:2");
        }
        let elsewhere = certificate(CertType::Host, Some("cp2"), None);
        refused(&elsewhere, &authority, 1500, "it is for [cp2], not for cp1");
        let anywhere = certificate(CertType::Host, None, None);
        refused(&anywhere, &authority, 1500, "it is for [], not for cp1");
        let user = certificate(CertType::User, Some("cp1"), None);
        refused(&user, &authority, 1500, "not the certificate of a host");
        let restricted = certificate(CertType::Host, Some("cp1"), Some("x"));
        refused(&restricted, &authority, 1500, "critical options");
    }
}
