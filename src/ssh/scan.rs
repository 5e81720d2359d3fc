//! Looking at a host's keys, so that a person can decide to trust them.

use std::path::PathBuf;

use futures::future::join_all;
use russh::keys::{HashAlg, PublicKey};

use super::algorithms;
use super::connection::handshake;
use super::handler::{HostKeyPolicy, SessionNotes};
use super::known_hosts::{self, HostKeyMatch, KnownHosts};
use super::ssh_config;
use super::target::{SshTarget, Timeouts};
use crate::transport::TransportError;

/// A key that a host showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// Its algorithm, e.g. `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// The line for a file of known hosts.
    pub openssh_line: String,
    /// What is on record about it so far.
    pub verdict: HostKeyMatch,
}

impl HostKey {
    /// How its host is called in files of known hosts.
    pub fn recorded_as(&self) -> &str {
        self.openssh_line.split(' ').next().unwrap_or_default()
    }
}

/// What a look at a host found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostScan {
    /// The keys that it showed.
    pub keys: Vec<HostKey>,
    /// The file in which they are to be recorded, as it is read when the host is logged in to; none where no file is.
    pub file: Option<PathBuf>,
}

/// Asks a host for all its keys; jump hosts on the way must be trusted already.
///
/// # Errors
/// When the host can't be reached or shows no key.
pub async fn scan(target: &SshTarget, timeouts: Timeouts) -> Result<HostScan, TransportError> {
    let target = ssh_config::resolve(target).await?;
    let known = KnownHosts::load(&target.known_hosts(), &target.revoked_host_keys)
        .map_err(|error| target.host_key_refused(format!("can't read the known hosts: {error}")))?;
    let kinds = algorithms::host_key_kinds();
    let mut keys: Vec<PublicKey> = Vec::new();
    let mut failure = None;
    // One connection for each kind, because a server shows one key in each.
    for shown in join_all(kinds.iter().map(|kind| look(&target, timeouts, kind))).await {
        match shown {
            Ok(key) if keys.iter().all(|known| known.key_data() != key.key_data()) => keys.push(key),
            Ok(_) => {}
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) if keys.is_empty() => Err(error),
        _ => Ok(HostScan {
            keys: keys.iter().map(|key| describe(&target, &known, key)).collect(),
            file: target.known_hosts().into_iter().next(),
        }),
    }
}

async fn look(
    target: &SshTarget,
    timeouts: Timeouts,
    kind: &russh::keys::Algorithm,
) -> Result<PublicKey, TransportError> {
    let notes = SessionNotes::default();
    let outcome = handshake(
        target,
        timeouts,
        algorithms::only(kind),
        HostKeyPolicy::Look,
        &notes,
    )
    .await;
    match (notes.host_key(), outcome) {
        (Some(key), _) => Ok(key),
        (None, Err(error)) => Err(error),
        (None, Ok(_)) => Err(target.host_key_refused("it showed no key")),
    }
}

fn describe(target: &SshTarget, known: &KnownHosts, key: &PublicKey) -> HostKey {
    // Without the comment, which is the host's to choose.
    let key = PublicKey::from(key.key_data().clone());
    let (host, port) = target.recorded_as();
    let name = known_hosts::name(&host.to_ascii_lowercase(), port);
    HostKey {
        algorithm: key.algorithm().to_string(),
        fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
        openssh_line: format!("{name} {}", key.to_openssh().unwrap_or_default().trim()),
        verdict: known.check(host, port, &key),
    }
}
