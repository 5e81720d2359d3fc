//! What the session tells us: the host key to judge, banners, and why it ended.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use russh::client::{self, DisconnectReason};
use russh::keys::{HashAlg, PublicKey, PublicKeyOrCertificate};

use super::host_certificate;
use super::known_hosts::{HostKeyMatch, KnownHosts};
use super::target::SshTarget;

/// What is learned while a session runs, for its errors.
#[derive(Debug, Clone, Default)]
pub(super) struct SessionNotes(Arc<Mutex<SessionEvents>>);

#[derive(Debug, Default)]
struct SessionEvents {
    host_key: Option<PublicKey>,
    refusal: Option<String>,
    banner: Option<String>,
    ended: Option<String>,
}

impl SessionNotes {
    /// The key that the host showed.
    pub(super) fn host_key(&self) -> Option<PublicKey> {
        self.read(|noted| noted.host_key.clone())
    }

    /// Why the host key was refused.
    pub(super) fn refusal(&self) -> Option<String> {
        self.read(|noted| noted.refusal.clone())
    }

    /// What the server says to who logs in.
    pub(super) fn banner(&self) -> Option<String> {
        self.read(|noted| noted.banner.clone())
    }

    /// Why the connection is over.
    pub(super) fn ended(&self) -> Option<String> {
        self.read(|noted| noted.ended.clone())
    }

    fn read<T>(&self, get: impl FnOnce(&SessionEvents) -> T) -> T {
        get(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, set: impl FnOnce(&mut SessionEvents)) {
        set(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// How host keys are judged.
pub(super) enum HostKeyPolicy {
    /// By what is known of the target.
    Strict(Box<SshTarget>, KnownHosts),
    /// None is accepted: the key is only looked at.
    Look,
}

pub(super) struct Handler {
    pub(super) policy: HostKeyPolicy,
    pub(super) notes: SessionNotes,
}

impl client::Handler for Handler {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        self.notes
            .write(|noted| noted.host_key = Some(shown.public_key()));
        let HostKeyPolicy::Strict(target, known) = &self.policy else {
            return Ok(false);
        };
        match judge(shown, target, known) {
            Ok(()) => Ok(true),
            Err(reason) => {
                self.notes.write(|noted| noted.refusal = Some(reason));
                Ok(false)
            }
        }
    }

    async fn auth_banner(&mut self, banner: &str, _: &mut client::Session) -> Result<(), Self::Error> {
        self.notes
            .write(|noted| noted.banner = Some(banner.trim().to_owned()));
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Self::Error>) -> Result<(), Self::Error> {
        let text = match reason {
            DisconnectReason::ReceivedDisconnect(info) => format!("the server said: {}", info.message.trim()),
            DisconnectReason::Error(error) => explain(&error),
        };
        self.notes.write(|noted| noted.ended = Some(text));
        Ok(())
    }
}

/// A russh error in words that help.
pub(super) fn explain(error: &russh::Error) -> String {
    match error {
        russh::Error::KeepaliveTimeout => "it stopped answering (no reply to three keepalives)".to_owned(),
        russh::Error::Disconnect | russh::Error::HUP => "the server closed the connection".to_owned(),
        russh::Error::IO(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the server closed the connection".to_owned()
        }
        russh::Error::SendError | russh::Error::RecvError => "the connection is closed".to_owned(),
        russh::Error::NoCommonAlgo { kind, ours, theirs } => format!(
            "no common {kind:?} algorithm: the server offers {}; this program {}",
            theirs.join(", "),
            ours.join(", ")
        ),
        other => other.to_string(),
    }
}

/// Fingerprints in the inventory are the whole truth about a host.
fn judge_by_inventory(key: &PublicKey, fingerprint: &str, target: &SshTarget) -> Result<(), String> {
    if target.fingerprints.iter().any(|accepted| accepted == fingerprint) {
        return Ok(());
    }
    Err(format!(
        "it shows {} {fingerprint}, which is none of the fingerprints in the inventory ({}). Either the host was \
         reinstalled, or the inventory has the fingerprint of another of its keys, or somebody intercepts the connection",
        key.algorithm(),
        target.fingerprints.join(", ")
    ))
}

/// A word of a command that a person types.
fn quoted(word: &str) -> String {
    // Only a NUL can't be quoted, and no name of a file has one.
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
}

fn judge(shown: &PublicKeyOrCertificate, target: &SshTarget, known: &KnownHosts) -> Result<(), String> {
    let key = shown.public_key();
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    let (host, port) = target.recorded_as();
    let verdict = known.check(host, port, &key);
    if let HostKeyMatch::Revoked(place) = verdict {
        return Err(format!(
            "the key it shows ({fingerprint}) is marked as revoked in {place}; do not log in"
        ));
    }
    if !target.fingerprints.is_empty() {
        return judge_by_inventory(&key, &fingerprint, target);
    }
    if verdict == HostKeyMatch::Trusted {
        return Ok(());
    }
    if let Some(certificate) = shown.certificate() {
        return host_certificate::check(certificate, known, host, port, SystemTime::now())
            .map_err(|reason| format!("its certificate is refused: {reason}"));
    }
    let kind = key.algorithm();
    let name = super::known_hosts::name(host, port);
    Err(match verdict {
        HostKeyMatch::Changed(place) => format!(
            "it shows another key than the one on record in {place}: {kind} {fingerprint}. Either the host was \
             reinstalled or somebody intercepts the connection. If the new key is right: \
             `ssh-keygen -R {} -f {}`, then `ci-bootstrap trust INVENTORY`",
            quoted(&name),
            quoted(&place.file.to_string_lossy())
        ),
        _ => format!(
            "no key of {name} is on record; it shows {kind} {fingerprint}. If that is right, record it with \
             `ci-bootstrap trust INVENTORY`, or give the fingerprint in the inventory"
        ),
    })
}
