//! `ci-bootstrap completions`: what shells need to complete commands and flags.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{CommandFailure, Exit};

/// Print the completion script of a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ci-bootstrap completions bash > ~/.local/share/bash-completion/completions/ci-bootstrap
  ci-bootstrap completions zsh  > ~/.zfunc/_ci-bootstrap      # a folder of $fpath
  ci-bootstrap completions fish > ~/.config/fish/completions/ci-bootstrap.fish")]
pub(super) struct Args {
    /// The shell.
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    let mut command = super::Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    anstream::stdout().write_all(&script)?;
    Ok(Exit::Done)
}
