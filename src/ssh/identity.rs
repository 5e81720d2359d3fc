//! Private keys from files, and the keys of the agent.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use russh::keys::agent::client::AgentClient;
use russh::keys::agent::{AgentIdentity, AgentSessionBinding};
use russh::keys::{self, HashAlg, PrivateKey, PublicKey};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::UnixStream;

/// Reads a private key, off the async threads: opening an encrypted one is made to take long.
///
/// # Errors
/// In words that name the file and what to do.
pub(super) async fn load(path: &Path, passphrase: Option<&SecretString>) -> Result<Arc<PrivateKey>, String> {
    let (file, secret) = (path.to_owned(), passphrase.cloned());
    let loaded = tokio::task::spawn_blocking(move || {
        let key = keys::load_secret_key(&file, secret.as_ref().map(ExposeSecret::expose_secret));
        (exposed(&file), key)
    })
    .await;
    let path = path.display();
    match loaded {
        Ok((Some(mode), _)) => Err(format!(
            "{path} is not used: others can read it (mode {mode:04o}); chmod 600 it, and replace the key if others could"
        )),
        Ok((None, Ok(key))) => Ok(Arc::new(key)),
        Ok((None, Err(error))) => Err(match (error, passphrase.is_some()) {
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

/// The mode of one's own file if others can read it. As for OpenSSH, files of others are their business.
fn exposed(path: &Path) -> Option<u32> {
    let found = fs_err::metadata(path).ok()?;
    let mode = found.mode() & 0o7777;
    let is_own = own_id().is_none_or(|own| own == found.uid());
    (is_own && mode & 0o077 != 0).then_some(mode)
}

/// The user that this program runs as; none where the system doesn't say.
fn own_id() -> Option<u32> {
    let status = fs_err::read_to_string("/proc/self/status").ok()?;
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    ids.split_whitespace().next()?.parse().ok()
}

/// The public half that lies beside a private key.
pub(super) fn public_half(path: &Path) -> Option<PublicKey> {
    let mut file = path.as_os_str().to_owned();
    file.push(".pub");
    keys::load_public_key(file).ok()
}

/// The agent at `socket`, and the keys and certificates it has.
///
/// # Errors
/// In words that name the socket.
pub(super) async fn agent(
    socket: &Path,
    binding: Option<&AgentSessionBinding>,
) -> Result<(AgentClient<UnixStream>, Vec<AgentIdentity>), String> {
    let failed = |error: keys::Error| format!("{}: {error}", socket.display());
    let mut client = AgentClient::connect_uds(socket).await.map_err(failed)?;
    if let Some(binding) = binding {
        // Lets the agent judge keys that are limited to certain hosts; agents that know no such limits refuse it.
        let _ = client.bind_session(binding, false).await;
    }
    let identities = client.request_identities().await.map_err(failed)?;
    Ok((client, identities))
}

/// How a key is called in messages.
pub(super) fn describe(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
}
