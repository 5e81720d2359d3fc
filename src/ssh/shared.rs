//! What the targets of a fleet share: private keys that were opened, and connections to jump hosts.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use russh::keys::PrivateKey;
use secrecy::SecretString;
use tokio::sync::OnceCell;

use super::connection::Connection;
use super::identity;
use super::target::{SshTarget, Timeouts};
use super::way::ConnectionRoute;
use crate::transport::TransportError;

/// What targets share; clones are the same.
///
/// A fleet is logged in to with few keys, and opening an encrypted one is made to take long. And a jump host whose
/// hosts all log in to it at once would turn some away (sshd's `MaxStartups`).
#[derive(Clone, Default)]
pub struct SharedConnections(Arc<Inner>);

#[derive(Default)]
struct Inner {
    keys: Slots<PathBuf, OnceCell<Arc<PrivateKey>>>,
    jumps: Slots<ConnectionRoute, tokio::sync::Mutex<Option<JumpConnection>>>,
}

type Slots<K, V> = Mutex<HashMap<K, Arc<V>>>;

/// A jump host that is, or was, connected to; or why it can't be. Its hosts keep the connection, so that it goes with
/// the last of them.
type JumpConnection = Result<Weak<Connection>, TransportError>;

impl fmt::Debug for SharedConnections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl SharedConnections {
    /// The private key in a file.
    ///
    /// # Errors
    /// In words that name the file and what to do. A failure is not kept: the passphrase may be another next time.
    pub(super) async fn key(
        &self,
        path: &Path,
        passphrase: Option<&SecretString>,
    ) -> Result<Arc<PrivateKey>, String> {
        let slot = slot(&self.0.keys, path.to_owned());
        slot.get_or_try_init(|| identity::load(path, passphrase))
            .await
            .cloned()
    }

    /// The connection to a jump host. One that failed is not tried again: that would take as long for each host.
    ///
    /// # Errors
    /// When it can't be reached or logged in to.
    pub(super) async fn jump(
        &self,
        target: &SshTarget,
        timeouts: Timeouts,
    ) -> Result<Arc<Connection>, TransportError> {
        let slot = slot(&self.0.jumps, ConnectionRoute::from_target(target));
        let mut jump = slot.lock().await;
        match &*jump {
            Some(Ok(connection)) => {
                if let Some(connection) = connection.upgrade().filter(|connection| !connection.is_closed()) {
                    return Ok(connection);
                }
            }
            Some(Err(error)) => return Err(error.clone()),
            None => {}
        }
        let opened = Box::pin(Connection::open(target, timeouts)).await;
        *jump = Some(opened.as_ref().map(Arc::downgrade).map_err(Clone::clone));
        opened
    }
}

fn slot<K: Eq + Hash, V: Default>(slots: &Slots<K, V>, key: K) -> Arc<V> {
    let mut slots = slots.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(slots.entry(key).or_default())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use russh::keys::ssh_key::LineEnding;
    use russh::keys::ssh_key::private::Ed25519Keypair;

    use super::*;

    fn private(path: &Path) {
        fs_err::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }

    #[tokio::test]
    async fn a_key_that_others_can_read_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id");
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&[1; 32]));
        fs_err::write(&path, key.to_openssh(LineEnding::LF).unwrap()).unwrap();
        for mode in [0o644, 0o640, 0o604, 0o660] {
            fs_err::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let refused = SharedConnections::default().key(&path, None).await.unwrap_err();
            let reported = format!("id is not used: others can read it (mode {mode:04o}); chmod 600");
            assert!(refused.contains(&reported), "{refused}");
        }
        private(&path);
        assert!(SharedConnections::default().key(&path, None).await.is_ok());
    }

    #[tokio::test]
    async fn a_key_is_opened_once_and_failures_are_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id");
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&[1; 32]));
        let shared = SharedConnections::default();
        let missing = shared.key(&path, None).await.unwrap_err();
        assert!(
            missing.contains("id can't be read as a private key: No such file"),
            "{missing}"
        );
        fs_err::write(&path, "no key").unwrap();
        private(&path);
        assert!(shared.key(&path, None).await.is_err());
        fs_err::write(&path, key.to_openssh(LineEnding::LF).unwrap()).unwrap();
        assert_eq!(
            shared.key(&path, None).await.unwrap().public_key(),
            key.public_key()
        );
        fs_err::remove_file(&path).unwrap();
        assert!(
            shared.clone().key(&path, None).await.is_ok(),
            "clones share what was opened"
        );
    }
}
