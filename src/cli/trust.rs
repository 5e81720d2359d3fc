//! `ci-bootstrap trust`: meet hosts for the first time.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use futures::future::join_all;

use crate::model::Host;
use crate::secret::Secrets;
use crate::ssh::{self, HostKey, HostScan, known_hosts};
use crate::transport::TransportError;

use super::run::{SECRET_LIMIT, block_on};
use super::screen;
use super::{CommandFailure, Exit, OrExit, inventory_file, session};

/// Show the SSH keys of the hosts, and record them when you confirm
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ci-bootstrap trust inventory.yaml
  ci-bootstrap trust inventory.yaml --yes      # in a network that nobody else can listen on

Compare the fingerprints with what `ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub` prints
on each host's console. A key that has changed is never recorded: remove the old one with
`ssh-keygen -R` first.")]
pub(super) struct Args {
    /// The inventory
    #[arg(value_name = "FILE", default_value = "inventory.yaml")]
    file: PathBuf,
    /// Record without asking
    #[arg(long, short)]
    yes: bool,
}

/// What a host showed.
struct ScannedHost<'a> {
    host: &'a Host,
    scan: Result<HostScan, TransportError>,
}

/// What the record says about a host.
enum HostKeyState {
    Known,
    New,
    Refused(String),
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    let cluster = super::load(&args.file)?.cluster;
    let secrets = Secrets::new(SECRET_LIMIT);
    let shown = block_on(async {
        let mut scans = Vec::new();
        let shared = ssh::SharedConnections::default();
        for host in &cluster.hosts {
            let target = session::target(host.name.as_str(), &host.ssh, &secrets)
                .await
                .or_exit(Exit::Usage)?
                .sharing(&shared);
            let timeouts = ssh::Timeouts {
                connect: host.ssh.connect_timeout,
                ..ssh::Timeouts::default()
            };
            scans.push(async move {
                ScannedHost {
                    host,
                    scan: scan(&target, timeouts).await,
                }
            });
        }
        Ok(join_all(scans).await)
    })?;
    let table = shown.iter().flat_map(describe).collect::<String>();
    write!(screen::stdout(), "{table}")?;
    let new: Vec<_> = shown
        .iter()
        .filter(|shown| matches!(host_key_state(shown), HostKeyState::New))
        .collect();
    let refused = shown
        .iter()
        .filter(|shown| matches!(host_key_state(shown), HostKeyState::Refused(_)))
        .count();
    if !new.is_empty() && (args.yes || confirmed(new.len())?) {
        record(&new)?;
    } else if !new.is_empty() {
        return Ok(Exit::Unreachable);
    }
    Ok(if refused == 0 {
        Exit::Done
    } else {
        Exit::Unreachable
    })
}

/// A host that does not answer is reported with the others and keeps nobody waiting.
async fn scan(target: &ssh::SshTarget, timeouts: ssh::Timeouts) -> Result<HostScan, TransportError> {
    let limit = timeouts.connect + Duration::from_secs(5);
    tokio::time::timeout(limit, ssh::scan(target, timeouts))
        .await
        .unwrap_or_else(|_| {
            Err(TransportError::Timeout {
                host: target.name.clone(),
                limit,
            })
        })
}

fn host_key_state(shown: &ScannedHost<'_>) -> HostKeyState {
    let keys = match &shown.scan {
        Ok(scan) => &scan.keys,
        Err(error) => return HostKeyState::Refused(error.to_string()),
    };
    for key in keys {
        if let known_hosts::HostKeyMatch::Revoked(place) = &key.verdict {
            return HostKeyState::Refused(format!("its key was revoked at {place}"));
        }
    }
    // One trusted key vouches for the host; its other keys need no record.
    if keys
        .iter()
        .any(|key| key.verdict == known_hosts::HostKeyMatch::Trusted)
    {
        return HostKeyState::Known;
    }
    let changed = keys.iter().find_map(|key| match &key.verdict {
        known_hosts::HostKeyMatch::Changed(place) => Some((key, place)),
        _ => None,
    });
    changed.map_or(HostKeyState::New, |(key, place)| {
        HostKeyState::Refused(format!(
            "none of its keys is the one recorded at {place}: it was reinstalled, or somebody is in between. \
             If you know why, remove the old key: ssh-keygen -R '{}' -f {}",
            key.recorded_as(),
            inventory_file::argument(&place.file)
        ))
    })
}

/// The lines of the table for one host.
fn describe(shown: &ScannedHost<'_>) -> Vec<String> {
    let (name, address) = (&shown.host.name, &shown.host.ssh.address);
    let word = match host_key_state(shown) {
        HostKeyState::Refused(why) => return vec![format!("{name} ({address}): {why}\n")],
        HostKeyState::Known => "known",
        HostKeyState::New => "new",
    };
    let keys = shown.scan.iter().flat_map(|scan| &scan.keys);
    let line = |key: &HostKey| format!("  {:<20} {}\n", key.algorithm, key.fingerprint);
    std::iter::once(format!("{name} ({address}): {word}\n"))
        .chain(keys.map(line))
        .collect()
}

fn confirmed(count: usize) -> Result<bool, CommandFailure> {
    if !std::io::stdin().is_terminal() {
        let hint =
            "not a terminal: compare the fingerprints and run the command on a terminal, or pass --yes";
        return Err(anyhow!(hint)).or_exit(Exit::Usage);
    }
    super::agreed(&format!("Are these the keys of your {count} new host(s)? [y/N] "))
}

/// Writes the keys of each host where they will be looked for.
fn record(new: &[&ScannedHost<'_>]) -> Result<(), CommandFailure> {
    for shown in new {
        let Ok(scan) = &shown.scan else { continue };
        let lines: Vec<_> = scan.keys.iter().map(|key| key.openssh_line.clone()).collect();
        let nowhere = || {
            anyhow!(
                "{}: no file of known hosts is read for it, so its keys can't be recorded",
                shown.host.name
            )
        };
        let file = scan.file.as_ref().ok_or_else(nowhere).or_exit(Exit::Usage)?;
        let added = known_hosts::append(file, &lines).or_exit(Exit::Usage)?;
        writeln!(
            screen::stdout(),
            "{}: {added} key(s) recorded in {}",
            shown.host.name,
            file.display()
        )?;
    }
    Ok(())
}
