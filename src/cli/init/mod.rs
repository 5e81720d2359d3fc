//! `ci-bootstrap init`: the first inventory.

mod addresses;
mod starter;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::{CommandFailure, Exit, OrExit, inventory_file, screen};
use crate::diagnostic::Source;
use crate::inventory;
use addresses::HostArgument;
use starter::StarterInventory;

/// Write an inventory for some hosts, to start from.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ci-bootstrap init 10.0.0.11 10.0.0.12 10.0.0.13
  ci-bootstrap init --user debian --output lab.yaml 10.0.0.11
  ci-bootstrap init - < addresses.txt

The first address becomes the control plane `cp1`, which also exports the NFS share; the others
become the workers `w1`, `w2` and so on. A single host is everything. The inventory describes a CI
system: the cluster, storage, and Jenkins with agents. `--cluster-only` leaves out the last two.")]
pub(super) struct Args {
    /// IP addresses of the hosts; `-` reads them from standard input.
    #[arg(value_name = "ADDRESS", required = true)]
    addresses: Vec<HostArgument>,
    /// Login name on the hosts.
    #[arg(long, value_name = "NAME", default_value = "root")]
    user: String,
    /// Write a cluster without storage and Jenkins.
    #[arg(long)]
    cluster_only: bool,
    /// The file to write; one that exists is not overwritten.
    #[arg(long, short, value_name = "FILE", default_value = "inventory.yaml")]
    output: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    let addresses = addresses::read(&args.addresses, &mut std::io::stdin().lock()).or_exit(Exit::Usage)?;
    let starter = StarterInventory {
        addresses: &addresses,
        user: &args.user,
        cluster_only: args.cluster_only,
    };
    let text = starter.text();
    // Addresses may be unfit for a cluster. Nobody should get a file that `check` refuses.
    let source = Source {
        name: args.output.display().to_string(),
        text: text.clone(),
    };
    inventory_file::validated(&inventory::parse(source, Path::new(".")))?;
    write_new(&args.output, &text)?;
    let file = inventory_file::argument(&args.output);
    writeln!(
        screen::stdout(),
        "wrote {file}; look through it, then run `ci-bootstrap check {file}`"
    )?;
    Ok(Exit::Done)
}

fn write_new(path: &Path, text: &str) -> Result<(), CommandFailure> {
    match fs_err::OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).or_exit(Exit::Usage),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let path = path.display();
            Err(anyhow!("{path} exists already; name another file with --output")).or_exit(Exit::Usage)
        }
        Err(error) => Err(error).or_exit(Exit::Usage),
    }
}
