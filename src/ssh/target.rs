//! Whom to connect to and how: the values that the inventory gives.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::shared::SharedConnections;
use crate::transport::TransportError;

/// The port of SSH where nothing else is said.
pub const DEFAULT_PORT: u16 = 22;

/// One host, and everything that is needed to log in to it.
#[derive(Debug, Clone)]
pub struct SshTarget {
    /// Inventory name; every error starts with it.
    pub name: String,
    /// Name or IP address to connect to (or an alias of `~/.ssh/config` when that is in use).
    pub address: String,
    /// TCP port; [`DEFAULT_PORT`] when neither this nor `ssh -G` says otherwise.
    pub port: Option<u16>,
    /// Login name; `root` when neither this nor `ssh -G` says otherwise.
    pub user: Option<String>,
    /// Private key files, tried in this order before anything else.
    pub identities: Vec<PathBuf>,
    /// Certificates of identities or of the agent's keys, besides those that lie beside an identity as `NAME-cert.pub`.
    pub certificates: Vec<PathBuf>,
    /// The agent whose keys are offered too.
    pub agent: Agent,
    /// Whether, of the agent's keys, only those are offered whose public half lies beside an identity.
    pub identities_only: bool,
    /// Login password, the last thing that is tried.
    pub password: Option<SecretString>,
    /// Passphrase of encrypted identities.
    pub passphrase: Option<SecretString>,
    /// Files of known host keys; where none are named, those of `ssh -G` or else OpenSSH's own four.
    pub known_hosts: Option<Vec<PathBuf>>,
    /// Files of keys that no host may show.
    pub revoked_host_keys: Vec<PathBuf>,
    /// The name under which the host's keys are on record, instead of its address and port.
    pub host_key_alias: Option<String>,
    /// `SHA256:…` fingerprints of accepted keys; if there are any, the files only say what is revoked.
    pub fingerprints: Vec<String>,
    /// Whether `ssh -G` fills in what is not said here.
    pub ssh_config: SshConfig,
    /// The host to go through.
    pub jump: Option<Box<SshTarget>>,
    /// How commands become root.
    pub sudo: SudoMethod,
    /// What it shares with other targets; see [`SshTarget::sharing`].
    pub shared: SharedConnections,
}

/// The agent whose keys are offered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Agent {
    /// None.
    #[default]
    None,
    /// The one that the environment names in `SSH_AUTH_SOCK`, if it does.
    Environment,
    /// The one at this socket.
    Socket(PathBuf),
}

impl Agent {
    /// Where it listens.
    pub(super) fn socket(&self) -> Option<PathBuf> {
        match self {
            Self::None => None,
            Self::Environment => std::env::var_os("SSH_AUTH_SOCK")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            Self::Socket(path) => Some(path.clone()),
        }
    }
}

/// The configuration of OpenSSH that fills in what is not said of a target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SshConfig {
    /// None.
    #[default]
    None,
    /// The user's and the system's, as `ssh` reads them.
    Default,
    /// This file alone.
    File(PathBuf),
}

/// How a command becomes root.
#[derive(Debug, Clone)]
pub enum SudoMethod {
    /// The login is root already.
    None,
    /// `sudo` that asks nothing.
    Passwordless,
    /// `sudo` with this password, if it asks for one.
    Password(SecretString),
}

/// How long the other side may stay silent.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For connection, key exchange and login together, per hop.
    pub connect: Duration,
    /// Between two keepalives; a connection is given up after three without an answer.
    pub keepalive: Duration,
    /// How long a host may refuse logins because it is booting.
    pub boot: Duration,
}

impl Timeouts {
    /// For everything until a login, with jump hosts and a host that boots: longer than its parts may take together, so that it only ends
    /// what would never end.
    pub(super) fn whole(&self, target: &SshTarget) -> Duration {
        let hops = std::iter::successors(Some(target), |target| target.jump.as_deref()).count();
        // To reach it, to exchange keys and to log in; and once more, begun just before a boot's time is over.
        let parts = u32::try_from(6 * hops).unwrap_or(u32::MAX);
        self.boot.saturating_add(self.connect.saturating_mul(parts))
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            keepalive: Duration::from_secs(5),
            boot: Duration::from_secs(60),
        }
    }
}

impl SshTarget {
    /// A host with nothing but a name and an address: root, port 22, strict host keys, no way to log in yet.
    pub fn new(name: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            address: address.into(),
            port: None,
            user: None,
            identities: Vec::new(),
            certificates: Vec::new(),
            agent: Agent::None,
            identities_only: false,
            password: None,
            passphrase: None,
            known_hosts: None,
            revoked_host_keys: Vec::new(),
            host_key_alias: None,
            fingerprints: Vec::new(),
            ssh_config: SshConfig::None,
            jump: None,
            sudo: SudoMethod::None,
            shared: SharedConnections::default(),
        }
    }

    /// The same target, sharing keys and jump hosts with all others that are given the same `shared`.
    #[must_use]
    pub fn sharing(mut self, shared: &SharedConnections) -> Self {
        self.jump = self.jump.map(|jump| Box::new(jump.sharing(shared)));
        self.shared = shared.clone();
        self
    }

    /// The port in force.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(DEFAULT_PORT)
    }

    /// The login name in force.
    pub fn user(&self) -> &str {
        self.user.as_deref().unwrap_or("root")
    }

    /// The files of known host keys in force.
    pub fn known_hosts(&self) -> Vec<PathBuf> {
        if let Some(files) = &self.known_hosts {
            return files.clone();
        }
        let home = std::env::home_dir().into_iter();
        let own = home.flat_map(|home| [home.join(".ssh/known_hosts"), home.join(".ssh/known_hosts2")]);
        own.chain(["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"].map(PathBuf::from))
            .collect()
    }

    /// Name and port under which its keys are on record. An alias stands for both, and is written without a port.
    pub(super) fn recorded_as(&self) -> (&str, u16) {
        match &self.host_key_alias {
            Some(alias) => (alias, DEFAULT_PORT),
            None => (&self.address, self.port()),
        }
    }

    /// `address:port`, with brackets around an IPv6 address.
    pub(super) fn endpoint(&self) -> String {
        if self.address.contains(':') {
            format!("[{}]:{}", self.address, self.port())
        } else {
            format!("{}:{}", self.address, self.port())
        }
    }

    pub(super) fn unreachable(&self, reason: impl Into<String>) -> TransportError {
        TransportError::Unreachable {
            host: self.name.clone(),
            address: self.endpoint(),
            reason: reason.into(),
        }
    }

    pub(super) fn login_failed(&self, reason: impl Into<String>) -> TransportError {
        TransportError::Login {
            host: self.name.clone(),
            user: self.user().to_owned(),
            reason: reason.into(),
        }
    }

    pub(super) fn host_key_refused(&self, reason: impl Into<String>) -> TransportError {
        TransportError::HostKey {
            host: self.name.clone(),
            reason: reason.into(),
        }
    }

    pub(super) fn timed_out(&self, limit: Duration) -> TransportError {
        TransportError::Timeout {
            host: self.name.clone(),
            limit,
        }
    }

    pub(super) fn lost(&self, reason: impl Into<String>) -> TransportError {
        TransportError::Lost {
            host: self.name.clone(),
            reason: reason.into(),
        }
    }
}
