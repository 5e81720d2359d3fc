//! The SSH transport against a real sshd.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![expect(clippy::print_stderr, reason = "says which tests were skipped and why")]

mod commands;
mod host_keys;
mod login;
mod openssh;
mod prepare;
mod server;
mod streams;
mod sudo;
