//! Bundles in a folder of a host.

use std::time::Duration;

use crate::resource::sh;
use crate::transport::{Script, Transport};

use super::{RecoveryError, run};

const LIMIT: Duration = Duration::from_secs(300);

/// The names of the files in a folder of a host.
///
/// # Errors
/// When the host can't be talked to or the folder can't be read.
pub async fn names(host: &dyn Transport, name: &str, folder: &str) -> Result<Vec<String>, RecoveryError> {
    let script = format!(
        "cd -- {} && find . -maxdepth 1 -type f -printf '%f\\n'\n",
        sh::quote(folder)
    );
    let output = run(host, name, "listing the bundles", Script::new(script, LIMIT)).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().map(str::to_owned).collect())
}

/// Deletes files of a folder of a host.
///
/// # Errors
/// When the host can't be talked to or a file can't be deleted.
pub async fn delete(
    host: &dyn Transport,
    name: &str,
    folder: &str,
    files: &[String],
) -> Result<(), RecoveryError> {
    let script = format!("cd -- {} && rm -f -- {}\n", sh::quote(folder), sh::words(files));
    let exec = Script::new(script, LIMIT);
    run(host, name, "deleting old bundles", exec).await.map(drop)
}
