//! `ci-bootstrap backup list`: the bundles in a folder.

use std::path::PathBuf;

use crate::bundle::{self, BundleError, BundleFile};

use super::super::screen;
use super::super::table::Table;
use super::super::{CommandFailure, Exit, OrExit};
use super::IdentityArgs;

/// List the bundles in a folder
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    identity: IdentityArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    let found = bundle::list(&args.folder, args.identity.identity.as_deref()).or_exit(Exit::Usage)?;
    let mut table = Table::new(["BUNDLE", "SIZE", "CLUSTER", "KUBERNETES", "MADE"]);
    for BundleFile { path, size, about } in &found {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let size = super::size(*size);
        match about {
            Ok(about) => table.row([&name, &size, &about.cluster, &about.kubernetes, &about.made]),
            Err(BundleError::Sealed) => table.row([&name, &size, "encrypted", "", ""]),
            Err(error) => table.row([&name, &size, &error.to_string(), "", ""]),
        }
    }
    write!(screen::stdout(), "{table}")?;
    Ok(Exit::Done)
}
