//! One SSH connection: reached, host key checked, logged in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use russh::client::{self, Handle, Msg};
use russh::{Channel, ChannelOpenFailure, Preferred};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::algorithms;
use super::auth;
use super::handler::{Handler, HostKeyPolicy, SessionNotes, explain};
use super::known_hosts::KnownHosts;
use super::socket::QuickAck;
use super::ssh_config;
use super::target::{SshTarget, Timeouts};
use super::tunnel::TunnelStream;
use crate::transport::{Stream, TransportError};

/// Half of sshd's `MaxSessions` (10): it takes the end of one session and the request for the next in one go, and
/// counts both.
const SESSIONS: usize = 5;
/// Keepalives without an answer before a connection is given up.
const KEEPALIVES: usize = 3;
/// Messages that may wait for a slow reader of one stream before all streams of its connection wait with it.
const STREAM_BUFFER: usize = 1024;
/// What systemd lets `pam_nologin` say to everybody but root until user sessions are allowed.
const BOOTING: &str = "System is booting up";
/// Between two logins on a host that is booting.
const BOOT_PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Connection {
    pub(super) target: SshTarget,
    session: Handle<Handler>,
    notes: SessionNotes,
    slots: Arc<Semaphore>,
    /// The connection that this one runs in.
    _jump: Option<Arc<Connection>>,
}

impl Connection {
    /// Connects and logs in, through the target's jump hosts. A host that answers while it is booting is waited for.
    pub(super) async fn open(target: &SshTarget, timeouts: Timeouts) -> Result<Arc<Self>, TransportError> {
        let target = ssh_config::resolve(target).await?;
        let limit = timeouts.whole(&target);
        timeout(limit, Self::attempts(&target, timeouts))
            .await
            .unwrap_or_else(|_| Err(target.unreachable(format!("no login was done within {limit:?}"))))
    }

    /// Tries until the host has booted.
    async fn attempts(target: &SshTarget, timeouts: Timeouts) -> Result<Arc<Self>, TransportError> {
        let start = Instant::now();
        loop {
            let notes = SessionNotes::default();
            let opened = Self::attempt(target, timeouts, notes.clone()).await;
            let booting = || notes.banner().is_some_and(|banner| banner.contains(BOOTING));
            match opened {
                Err(TransportError::Login { .. }) if booting() && start.elapsed() < timeouts.boot => {
                    sleep(BOOT_PAUSE).await;
                }
                opened => return opened,
            }
        }
    }

    /// Connects and logs in, once.
    async fn attempt(
        target: &SshTarget,
        timeouts: Timeouts,
        notes: SessionNotes,
    ) -> Result<Arc<Self>, TransportError> {
        let known = KnownHosts::load(&target.known_hosts(), &target.revoked_host_keys)
            .map_err(|error| target.host_key_refused(format!("can't read the known hosts: {error}")))?;
        let (name, port) = target.recorded_as();
        let preferred = algorithms::preferred(
            &known.algorithms(name, port),
            !known.authorities(name, port).is_empty(),
        );
        let policy = HostKeyPolicy::Strict(Box::new(target.clone()), known);
        let (mut session, jump) = handshake(target, timeouts, preferred, policy, &notes).await?;
        timeout(timeouts.connect, auth::authenticate(&mut session, target, &notes))
            .await
            .map_err(|_| target.login_failed(format!("no answer within {:?}", timeouts.connect)))??;
        Ok(Arc::new(Self {
            target: target.clone(),
            session,
            notes,
            slots: Arc::new(Semaphore::new(SESSIONS)),
            _jump: jump,
        }))
    }

    /// Waits until fewer than [`SESSIONS`] commands run.
    pub(super) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed, so there is always a permit.
        Arc::clone(&self.slots).acquire_owned().await.ok()
    }

    /// Opens a channel for a command.
    pub(super) async fn session(&self) -> Result<Channel<Msg>, TransportError> {
        self.session
            .channel_open_session()
            .await
            .map_err(|error| match error {
                russh::Error::ChannelOpenFailure(reason) => self.lost(&format!(
                    "the server refuses another session ({reason:?}); see MaxSessions in sshd_config"
                )),
                error => self.lost(&explain(&error)),
            })
    }

    /// Opens a TCP connection from the host to `address:port`.
    pub(super) async fn tunnel(
        self: Arc<Self>,
        address: &str,
        port: u16,
        limit: Duration,
    ) -> Result<TunnelStream, TransportError> {
        let failed = |reason: String| TransportError::Unreachable {
            host: self.target.name.clone(),
            address: format!("{address}:{port} through SSH"),
            reason,
        };
        // The origin is for sshd's log only.
        let opening = self
            .session
            .channel_open_direct_tcpip(address, port.into(), "127.0.0.1", 0);
        let channel = match timeout(limit, opening).await {
            Ok(Ok(channel)) => channel,
            Ok(Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited))) => {
                return Err(failed(
                    "sshd forbids it: see AllowTcpForwarding and PermitOpen".to_owned(),
                ));
            }
            Ok(Err(russh::Error::ChannelOpenFailure(_))) => {
                return Err(failed("the host could not connect to it".to_owned()));
            }
            Ok(Err(error)) => return Err(self.lost(&explain(&error))),
            Err(_) => return Err(failed(format!("no answer within {limit:?}"))),
        };
        Ok(TunnelStream::new(channel.into_stream(), self))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.session.is_closed()
    }

    /// The connection's end as an error; `otherwise` is the reason where the connection says none.
    pub(super) fn lost(&self, otherwise: &str) -> TransportError {
        self.target
            .lost(self.notes.ended().unwrap_or_else(|| otherwise.to_owned()))
    }
}

/// Reaches the server and exchanges keys; the host key is judged by `policy`.
pub(super) async fn handshake(
    target: &SshTarget,
    timeouts: Timeouts,
    preferred: Preferred,
    policy: HostKeyPolicy,
    notes: &SessionNotes,
) -> Result<(Handle<Handler>, Option<Arc<Connection>>), TransportError> {
    let config = Arc::new(client::Config {
        preferred,
        keepalive_interval: Some(timeouts.keepalive),
        keepalive_max: KEEPALIVES,
        channel_buffer_size: STREAM_BUFFER,
        ..client::Config::default()
    });
    let handler = Handler {
        policy,
        notes: notes.clone(),
    };
    let (stream, jump) = dial(target, timeouts).await?;
    match timeout(timeouts.connect, client::connect_stream(config, stream, handler)).await {
        Ok(Ok(session)) => Ok((session, jump)),
        Ok(Err(error)) => Err(match notes.refusal() {
            Some(reason) => target.host_key_refused(reason),
            None => target.unreachable(format!("the SSH handshake failed: {}", explain(&error))),
        }),
        Err(_) => {
            let limit = timeouts.connect;
            Err(target.unreachable(format!(
                "the port is open, but no SSH handshake was done within {limit:?}"
            )))
        }
    }
}

/// The stream to the server: TCP, or a tunnel through the jump host.
async fn dial(
    target: &SshTarget,
    timeouts: Timeouts,
) -> Result<(Box<dyn Stream>, Option<Arc<Connection>>), TransportError> {
    let limit = timeouts.connect;
    if let Some(jump) = &target.jump {
        let jump = target.shared.jump(jump, timeouts).await?;
        let tunnel = Arc::clone(&jump)
            .tunnel(&target.address, target.port(), limit)
            .await?;
        return Ok((Box::new(tunnel), Some(jump)));
    }
    match timeout(limit, QuickAck::connect(&target.address, target.port())).await {
        Ok(Ok(socket)) => Ok((Box::new(socket), None)),
        Ok(Err(error)) => Err(target.unreachable(error.to_string())),
        Err(_) => Err(target.unreachable(format!("no answer within {limit:?}"))),
    }
}
