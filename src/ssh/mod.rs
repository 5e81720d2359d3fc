//! Hosts over SSH: the only module that names russh.
//!
//! [`connect`] logs in to a [`SshTarget`] and gives a host that implements [`Transport`](crate::transport::Transport);
//! [`scan`] and [`known_hosts::append`] are what `ci-bootstrap trust` is made of. Each command has a channel and a
//! task of its own ([`command`]), its script is wrapped ([`script`]), and its output is cut to size ([`capture`]).

mod algorithms;
mod auth;
mod capture;
mod command;
mod connection;
mod handler;
mod host;
mod host_certificate;
mod identity;
pub mod known_hosts;
mod reach;
mod scan;
mod script;
mod shared;
mod socket;
mod ssh_config;
mod start;
mod target;
mod tunnel;
mod user_certificate;
mod way;

pub use host::{SshHost, connect};
pub use scan::{HostKey, HostScan, scan};
pub use shared::SharedConnections;
pub use target::{Agent, DEFAULT_PORT, SshConfig, SshTarget, SudoMethod, Timeouts};
