//! The signature of a bundle, in OpenSSH's format: `ssh-keygen -Y verify` checks it without this program.

use std::io::Read;

use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

use super::BundleError;

/// What a signature is for, as `ssh-keygen -n` has it: one that was made for something else is none of a bundle.
pub const NAMESPACE: &str = "ci-bootstrap-bundle";
/// The file of a control plane's archive that holds the private key, in OpenSSH's format. It becomes no member of the bundle.
pub const SIGNING_KEY: &str = "signing-key";
/// A key of Ed25519 and its signature have some hundred bytes.
pub(super) const LONGEST_KEY: u64 = 16 << 10;

/// What signs a bundle.
pub(super) struct SigningKey(PrivateKey);

impl SigningKey {
    /// Reads a private key in OpenSSH's format.
    pub(super) fn read(content: impl Read) -> Result<Self, BundleError> {
        let mut text = read_key(content)?;
        let key = PrivateKey::from_openssh(&text);
        text.fill(0);
        // The library's error is left out: it could tell of the key.
        match key {
            Ok(key) if key.algorithm() == Algorithm::Ed25519 && !key.is_encrypted() => Ok(Self(key)),
            _ => Err(BundleError::Key(
                "the cluster's key for bundles is not an Ed25519 key in OpenSSH's format".to_owned(),
            )),
        }
    }

    /// The public half, as [`verified_signer`] gives it.
    pub(super) fn public(&self) -> Result<String, BundleError> {
        text(self.0.public_key())
    }

    /// The signature of the sums.
    pub(super) fn sign(&self, sums: &[u8]) -> Result<String, BundleError> {
        let signature = self.0.sign(NAMESPACE, HashAlg::Sha512, sums);
        signature
            .and_then(|signature| signature.to_pem(LineEnding::LF))
            .map_err(|error| BundleError::Key(format!("the bundle can't be signed: {error}")))
    }
}

/// The public key that has signed these sums: algorithm and key, as a line of `authorized_keys` has them.
///
/// # Errors
/// When it is no signature, or one of something else.
pub(super) fn verified_signer(sums: &[u8], signature: &[u8]) -> Result<String, BundleError> {
    let wrong = |error| BundleError::Damaged(format!("its signature is wrong: {error}"));
    let signature = SshSig::from_pem(signature).map_err(wrong)?;
    let key = PublicKey::from(signature.public_key().clone());
    key.verify(NAMESPACE, sums, &signature).map_err(wrong)?;
    text(&key)
}

fn text(key: &PublicKey) -> Result<String, BundleError> {
    let mut key = key.clone();
    key.set_comment("");
    let line = key.to_openssh();
    line.map(|line| line.trim().to_owned())
        .map_err(|error| BundleError::Key(error.to_string()))
}

fn read_key(content: impl Read) -> Result<Vec<u8>, BundleError> {
    // Of its full length from the start: no shorter copy is left behind when it grows.
    let mut text = Vec::with_capacity(usize::try_from(LONGEST_KEY).unwrap_or_default());
    content.take(LONGEST_KEY).read_to_end(&mut text)?;
    Ok(text)
}
