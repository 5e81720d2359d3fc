//! `ci-bootstrap backup`: bundles made, listed and checked.

use std::path::PathBuf;

use clap::Subcommand;

use super::{CommandFailure, Exit};

mod check;
mod destination;
mod list;
mod make;
mod pieces;
mod reduced;
mod schedule;

/// Make a bundle of the cluster's state while everything runs; list and check bundles
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  ci-bootstrap backup inventory.yaml --to /srv/backups
  ci-bootstrap backup inventory.yaml --to nfs1:/srv/backups --recipient age1…
  ci-bootstrap backup inventory.yaml --to nfs1:/srv/backups --schedule daily --keep 14
  ci-bootstrap backup inventory.yaml --to nfs1:/srv/backups --schedule off
  ci-bootstrap backup list /srv/backups
  ci-bootstrap backup check /srv/backups/ci-20261121T143000Z.tar.gz --inventory inventory.yaml

A bundle holds etcd's state, the cluster's keys, kubeadm's configuration, the inventory, and
Jenkins' home without workspaces, caches and plugins, copied while Jenkins runs. Whoever can read
it owns the cluster: keep it where few can, or encrypt it for a recipient (`age-keygen` makes the
key). `ci-bootstrap apply --restore BUNDLE` brings the cluster back.

With --schedule, a timer of systemd on the host that keeps the bundles makes them. The host gets
this program and a key of its own, which control planes accept from its address only. The first
bundle is made at once. The same command again changes what differs: run it when a control plane
was replaced or the inventory has changed."
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<BackupCommand>,
    #[command(flatten)]
    make: make::MakeArgs,
}

#[derive(Debug, Subcommand)]
enum BackupCommand {
    List(list::Args),
    Check(check::Args),
}

/// The key of an encrypted bundle.
#[derive(Debug, clap::Args)]
struct IdentityArgs {
    /// File with the age key that an encrypted bundle can be read with
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    match &args.command {
        Some(BackupCommand::List(args)) => list::run(args),
        Some(BackupCommand::Check(args)) => check::run(args),
        None => make::run(&args.make),
    }
}

/// "2.1 MB".
fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
    let megabytes = bytes as f64 / 1e6;
    format!("{megabytes:.1} MB")
}
