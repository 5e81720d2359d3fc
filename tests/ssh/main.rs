//! The SSH transport against a real sshd.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod commands;
mod host_keys;
mod hostile;
mod login;
mod openssh;
mod prepare;
mod server;
#[path = "../support/skip.rs"]
mod skip;
mod streams;
mod sudo;
