//! Private keys from files, and the keys of the agent.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use russh::keys::agent::AgentSessionBinding;
use russh::keys::agent::client::AgentClient;
use russh::keys::{self, HashAlg, PrivateKey, PublicKey};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::UnixStream;
use tokio::sync::OnceCell;

/// Private keys that were opened. Clones share them: hosts of a fleet are logged in to with few keys, and opening an
/// encrypted one is made to take long.
#[derive(Clone, Default)]
pub struct Keyring(Arc<Mutex<HashMap<PathBuf, Slot>>>);

type Slot = Arc<OnceCell<Arc<PrivateKey>>>;

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring")
    }
}

impl Keyring {
    /// The private key in a file.
    ///
    /// # Errors
    /// In words that name the file and what to do. A failure is not kept: the passphrase may be another next time.
    pub(super) async fn key(
        &self,
        path: &Path,
        passphrase: Option<&SecretString>,
    ) -> Result<Arc<PrivateKey>, String> {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(path.to_owned()).or_default())
        };
        slot.get_or_try_init(|| load(path, passphrase)).await.cloned()
    }
}

/// Reads a private key, off the async threads.
async fn load(path: &Path, passphrase: Option<&SecretString>) -> Result<Arc<PrivateKey>, String> {
    let (file, secret) = (path.to_owned(), passphrase.cloned());
    let loaded = tokio::task::spawn_blocking(move || {
        keys::load_secret_key(&file, secret.as_ref().map(ExposeSecret::expose_secret))
    })
    .await;
    let path = path.display();
    match loaded {
        Ok(Ok(key)) => Ok(Arc::new(key)),
        Ok(Err(error)) => Err(match (error, passphrase.is_some()) {
            (keys::Error::KeyIsEncrypted, _) => {
                format!("{path} is encrypted: give its passphrase, or add it to the agent")
            }
            (keys::Error::SshKey(keys::ssh_key::Error::Crypto), true) => {
                format!("{path} is not opened by the passphrase given")
            }
            (error, _) => format!("{path} can't be read as a private key: {error}"),
        }),
        Err(error) => Err(format!("{path} can't be read: {error}")),
    }
}

/// The public half that lies beside a private key.
pub(super) fn public_half(path: &Path) -> Option<PublicKey> {
    let mut file = path.as_os_str().to_owned();
    file.push(".pub");
    keys::load_public_key(file).ok()
}

/// The agent at `socket`, and the keys it has.
///
/// # Errors
/// In words that name the socket.
pub(super) async fn agent(
    socket: &Path,
    binding: Option<&AgentSessionBinding>,
) -> Result<(AgentClient<UnixStream>, Vec<PublicKey>), String> {
    let failed = |error: keys::Error| format!("{}: {error}", socket.display());
    let mut client = AgentClient::connect_uds(socket).await.map_err(failed)?;
    if let Some(binding) = binding {
        // Lets the agent judge keys that are limited to certain hosts; agents that know no such limits refuse it.
        let _ = client.bind_session(binding, false).await;
    }
    let identities = client.request_identities().await.map_err(failed)?;
    let keys = identities
        .iter()
        .map(|identity| identity.public_key().into_owned())
        .collect();
    Ok((client, keys))
}

/// How a key is called in messages.
pub(super) fn describe(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

    use russh::keys::ssh_key::LineEnding;
    use russh::keys::ssh_key::private::Ed25519Keypair;

    use super::*;

    #[tokio::test]
    async fn a_key_is_opened_once_and_failures_are_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id");
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&[1; 32]));
        let keyring = Keyring::default();
        let missing = keyring.key(&path, None).await.unwrap_err();
        assert!(
            missing.contains("id can't be read as a private key: No such file"),
            "{missing}"
        );
        fs_err::write(&path, "no key").unwrap();
        assert!(keyring.key(&path, None).await.is_err());
        fs_err::write(&path, key.to_openssh(LineEnding::LF).unwrap()).unwrap();
        assert_eq!(
            keyring.key(&path, None).await.unwrap().public_key(),
            key.public_key()
        );
        fs_err::remove_file(&path).unwrap();
        assert!(
            keyring.clone().key(&path, None).await.is_ok(),
            "clones share what was opened"
        );
    }
}
