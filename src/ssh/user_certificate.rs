//! Certificates by which an authority of the site vouches for users' keys, and how they are used to log in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode as _;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{self, Certificate, HashAlg, PrivateKey, PublicKey};
use russh::{AgentAuthError, Signer};
use tokio::net::UnixStream;

use super::target::SshTarget;

/// A certificate and the file that it comes from.
#[derive(Debug, Clone)]
pub(super) struct UserCertificate {
    pub(super) path: PathBuf,
    pub(super) certificate: Certificate,
}

/// The certificates that the target names, then those beside its identities; and what is wrong with others.
pub(super) fn load(target: &SshTarget) -> (Vec<UserCertificate>, Vec<String>) {
    let named = target.certificates.iter().cloned();
    let beside = target.identities.iter().map(|path| beside(path));
    let (mut certificates, mut problems) = (Vec::new(), Vec::new());
    for path in named.chain(beside.filter(|path| path.exists())) {
        match keys::load_openssh_certificate(&path) {
            Ok(certificate) if certificate.cert_type() == CertType::User => {
                certificates.push(UserCertificate { path, certificate });
            }
            Ok(_) => problems.push(format!("{} is the certificate of a host", path.display())),
            Err(error) => problems.push(format!(
                "{} can't be read as a certificate: {error}",
                path.display()
            )),
        }
    }
    (certificates, problems)
}

/// Where `ssh-keygen` puts the certificate of an identity.
fn beside(identity: &Path) -> PathBuf {
    let mut file = identity.as_os_str().to_owned();
    file.push("-cert.pub");
    file.into()
}

/// Signs with the private key that a certificate is for.
pub(super) struct FileSigner(pub(super) Arc<PrivateKey>);

impl Signer for FileSigner {
    type Error = AgentAuthError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        mut data: Vec<u8>,
    ) -> Result<Vec<u8>, Self::Error> {
        let signature = match self.0.key_data() {
            KeypairData::Rsa(pair) => (pair, hash).try_sign(&data),
            pair => pair.try_sign(&data),
        };
        let signature = signature.map_err(|error| keys::Error::from(keys::ssh_key::Error::from(error)))?;
        signature.encode_prefixed(&mut data).map_err(keys::Error::from)?;
        Ok(data)
    }
}

/// Has the agent sign with its plain key, where it knows nothing of the certificate.
pub(super) struct AgentSigner<'a> {
    pub(super) agent: &'a mut AgentClient<UnixStream>,
    pub(super) key: PublicKey,
}

impl Signer for AgentSigner<'_> {
    type Error = AgentAuthError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, Self::Error> {
        let key = AgentIdentity::from(self.key.clone());
        Ok(self.agent.sign_request(&key, hash, data).await?)
    }
}
