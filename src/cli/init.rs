//! `ci-bootstrap init`: the first inventory.

use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::anyhow;

use super::screen;
use super::{Exit, Failure, OrExit};

/// Write an inventory for some hosts, to start from.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ci-bootstrap init 10.0.0.11 10.0.0.12 10.0.0.13
  ci-bootstrap init --user debian --output lab.yaml 10.0.0.11

The first address becomes the control plane `cp1`, the others the workers `w1`, `w2` and so on;
a single host is both.")]
pub(super) struct Args {
    /// IP addresses of the hosts.
    #[arg(value_name = "ADDRESS", required = true)]
    addresses: Vec<IpAddr>,
    /// Login name on the hosts.
    #[arg(long, value_name = "NAME", default_value = "root")]
    user: String,
    /// The file to write; one that exists is not overwritten.
    #[arg(long, short, value_name = "FILE", default_value = "inventory.yaml")]
    output: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let text = text(&args.addresses, &args.user);
    let file = fs_err::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&args.output);
    match file {
        Ok(mut file) => file.write_all(text.as_bytes()).or_exit(Exit::Usage)?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let message = anyhow!(
                "{} exists already; name another file with --output",
                args.output.display()
            );
            return Err(message).or_exit(Exit::Usage);
        }
        Err(error) => return Err(error).or_exit(Exit::Usage),
    }
    let file = args.output.display();
    writeln!(
        screen::stdout(),
        "wrote {file}; look through it, then run `ci-bootstrap check {file}`"
    )?;
    Ok(Exit::Done)
}

/// The inventory, with comments on what is most often changed.
fn text(addresses: &[IpAddr], user: &str) -> String {
    let roles = |index| match (index, addresses.len()) {
        (0, 1) => ("cp1".to_owned(), "control-plane, worker"),
        (0, _) => ("cp1".to_owned(), "control-plane"),
        _ => (format!("w{index}"), "worker"),
    };
    let hosts = addresses.iter().enumerate().map(|(index, address)| {
        let (name, roles) = roles(index);
        format!("  - {{ name: {name}, address: \"{address}\", roles: [{roles}] }}\n")
    });
    let networks = match addresses.first() {
        Some(IpAddr::V6(_)) => "{ pods: \"fd10:244::/108\", services: \"fd10:96::/112\" }",
        _ => "{ pods: 10.244.0.0/16, services: 10.96.0.0/16 }",
    };
    // Any text is a string in YAML when it is written as JSON.
    let user = serde_json::Value::from(user);
    let hosts: String = hosts.collect();
    format!(
        "\
# The hosts of a CI system and what shall run on them. Every key is described in docs/inventory.md.
apiVersion: ci-bootstrap/v1

cluster:
  name: ci
  kubernetes: 1.36.4
  # Both must be used nowhere else in your network; they can't be changed later.
  networks: {networks}

ssh:
  user: {user}
  # Keys of a running ssh-agent are tried first. To name a key file:
  # identities: [~/.ssh/id_ed25519]
  # For a user other than root whose sudo asks for a password:
  # sudo: {{ password: {{ prompt: sudo password }} }}

# The first control plane is initialised, all others join. `roles: []` prepares a host without joining it.
hosts:
{hosts}"
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::diagnostic::{Colour, Source, render};
    use crate::{inventory, model};

    #[test]
    fn what_is_written_is_valid() {
        for addresses in [
            &["10.0.0.11"][..],
            &["10.0.0.11", "10.0.0.12", "10.0.0.13"],
            &["fd00::11", "fd00::12"],
        ] {
            let parsed: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
            let source = Source {
                name: "inventory.yaml".to_owned(),
                text: text(&parsed, "o'hara: #1"),
            };
            let document = inventory::parse(source, std::path::Path::new("/nowhere"));
            let valid = model::validate(&document)
                .map_err(|problems| render(&problems, &document.source, Colour::Never))
                .unwrap();
            assert_eq!(valid.cluster.hosts.len(), addresses.len());
            assert_eq!(valid.cluster.hosts[0].ssh.user.as_deref(), Some("o'hara: #1"));
            assert_eq!(valid.warnings, []);
        }
    }
}
