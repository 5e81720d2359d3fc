//! What the program needs from a host: run a script, hold a lock, open a stream.
//!
//! Owns the trait and its values; `ssh` implements it for real hosts, [`memory`] and [`direct`] for tests.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};

mod basic_auth;
mod connector;
pub mod direct;
mod http;
pub mod memory;

pub use basic_auth::basic_auth;
pub(crate) use connector::Connector;
pub use http::{HttpClient, HttpError, HttpResponse, HttpServer, TlsFault};

/// A POSIX `sh` script for one host, run as root, that travels on standard input and never in argv.
#[derive(Debug)]
pub struct Script {
    /// The whole script. It must not read standard input.
    pub script: String,
    /// Longest time the script may take before it is given up.
    pub timeout: Duration,
    /// Receives standard output as it arrives, besides the copy in [`ScriptOutput`]. While it has no room the host is held back, the time-out
    /// waits, and so does all else on the same connection.
    pub live: Option<mpsc::Sender<Vec<u8>>>,
}

impl Script {
    /// A script without a live listener.
    pub fn new(script: impl Into<String>, timeout: Duration) -> Self {
        Self {
            script: script.into(),
            timeout,
            live: None,
        }
    }
}

/// How a remote command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptEnd {
    /// It exited by itself with this status.
    Exited(u32),
    /// A signal ended it (name without `SIG`, as SSH reports it).
    Signalled(String),
}

impl fmt::Display for ScriptEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exit status {status}"),
            Self::Signalled(name) => write!(f, "signal {name}"),
        }
    }
}

/// What a script left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptOutput {
    /// How it ended.
    pub ended: ScriptEnd,
    /// Standard output; of very long output head and tail are kept and the cut is marked.
    pub stdout: Vec<u8>,
    /// Standard error, kept likewise.
    pub stderr: Vec<u8>,
}

impl ScriptOutput {
    /// Whether the script exited with status 0.
    pub fn success(&self) -> bool {
        self.ended == ScriptEnd::Exited(0)
    }
}

/// Why a host could not be talked to. Every text names the host and, where known, a remedy.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum TransportError {
    /// No connection: refused, no route, time-out, name unknown.
    #[error("cannot reach {host} ({address}): {reason}")]
    Unreachable {
        /// Inventory name.
        host: String,
        /// `address:port` that was tried.
        address: String,
        /// What the network said.
        reason: String,
    },
    /// The host key is unknown, changed or revoked.
    #[error("host key of {host}: {reason}")]
    HostKey {
        /// Inventory name.
        host: String,
        /// What is wrong with the key, with file and line where one says so, and what to do.
        reason: String,
    },
    /// No way to log in was accepted, or sudo refused.
    #[error("cannot log in to {host} as {user}: {reason}")]
    Login {
        /// Inventory name.
        host: String,
        /// The login name.
        user: String,
        /// What was tried and what the server still offers.
        reason: String,
    },
    /// The connection ended while a command ran.
    #[error("lost the connection to {host}: {reason}")]
    Lost {
        /// Inventory name.
        host: String,
        /// Why, as far as known.
        reason: String,
    },
    /// A command took longer than its limit.
    #[error("{host} did not answer within {limit:?}")]
    Timeout {
        /// Inventory name.
        host: String,
        /// The limit that passed.
        limit: Duration,
    },
}

/// A byte stream through a host, for the API server's traffic.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A remote command that goes on until this value is dropped: it holds a lock.
pub struct HeldCommand {
    /// What the command printed up to and with its first line.
    pub first_line: String,
    /// Dropping it ends the command; whoever runs the command drops the other end when it is over.
    guard: oneshot::Sender<()>,
}

impl HeldCommand {
    /// A command that is under way.
    pub fn new(first_line: String, guard: oneshot::Sender<()>) -> Self {
        Self { first_line, guard }
    }

    /// Whether the command has ended by itself, or is lost with its connection.
    pub fn is_over(&self) -> bool {
        self.guard.is_closed()
    }
}

impl fmt::Debug for HeldCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold")
            .field("first_line", &self.first_line)
            .finish_non_exhaustive()
    }
}

/// One host that can be talked to.
pub trait Transport: Send + Sync {
    /// Runs a script as root, in the C locale and with the system's folders first in `PATH`.
    ///
    /// It runs whole or, if the connection is lost on the way there, not at all. At its time-out, or if the connection
    /// is lost while it runs, it is ended with what it started (some time later if nobody tells the host); what must survive is started by
    /// `systemd-run` or `setsid`. What it leaves in the background when it ends by itself lives on.
    ///
    /// # Errors
    /// Only when the host can't be talked to; a failing script is an [`ScriptOutput`].
    fn exec(&self, exec: Script) -> BoxFuture<'_, Result<ScriptOutput, TransportError>>;

    /// Starts a script as root and returns when it has printed one line; it may go on for ever, and is ended when the result is dropped.
    /// It ends with the connection, whatever becomes of this program, and some time after it if nobody tells the host that it is gone.
    ///
    /// # Errors
    /// When the host can't be talked to, or the script ended or was silent until `limit`.
    fn hold(&self, script: String, limit: Duration) -> BoxFuture<'_, Result<HeldCommand, TransportError>>;

    /// Opens a TCP connection from the host to `address:port`, over a connection of its own so that bulk
    /// traffic can't stall commands.
    ///
    /// # Errors
    /// When the host can't be talked to or nothing listens there.
    fn connect(&self, address: &str, port: u16) -> BoxFuture<'_, Result<Box<dyn Stream>, TransportError>>;
}
