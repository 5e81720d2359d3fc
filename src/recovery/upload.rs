//! A file for a host, in pieces that scripts can carry.

use std::io::Read;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

use crate::resource::sh;
use crate::transport::{Script, Transport};

use super::{RecoveryError, run};

/// Bytes of one piece. A shell reads a script into memory before it runs.
const PIECE: usize = 3 << 20;
/// For one piece, over a line that is hardly one.
const LIMIT: Duration = Duration::from_secs(300);

/// A file that arrives piece by piece. It has its name only when all of it has arrived.
pub struct Upload<'a> {
    host: &'a dyn Transport,
    name: &'a str,
    path: &'a str,
    digest: Sha256,
}

impl std::fmt::Debug for Upload<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload")
            .field("host", &self.name)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl<'a> Upload<'a> {
    /// Begins a file that only root can read. What an earlier upload of it left is removed.
    ///
    /// # Errors
    /// When the host can't be talked to or the file can't be written.
    pub async fn begin(host: &'a dyn Transport, name: &'a str, path: &'a str) -> Result<Self, RecoveryError> {
        let upload = Self {
            host,
            name,
            path,
            digest: Sha256::new(),
        };
        let (target, partial) = upload.quoted();
        let script = format!("set -eu\numask 077\nmkdir -p \"$(dirname {target})\"\n: >{partial}\n");
        upload.run(script).await?;
        Ok(upload)
    }

    /// Adds to the file.
    ///
    /// # Errors
    /// When the host can't be talked to or the file can't be written.
    pub async fn add(&mut self, data: &[u8]) -> Result<(), RecoveryError> {
        let (_, partial) = self.quoted();
        for piece in data.chunks(PIECE) {
            let piece = BASE64.encode(piece);
            self.run(format!("set -eu\nbase64 -d >>{partial} <<'END'\n{piece}\nEND\n"))
                .await?;
        }
        self.digest.update(data);
        Ok(())
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// When the host can't be talked to, or has something else than what was sent.
    pub async fn finish(mut self) -> Result<(), RecoveryError> {
        let (target, partial) = self.quoted();
        let digest = std::mem::take(&mut self.digest).finalize();
        let sum = hex::encode(digest);
        self.run(format!(
            "set -eu\necho '{sum}  '{partial} | sha256sum -c --status || {{ echo {target}: another sum than what was sent; exit 1; }}\n\
             sync {partial}\nmv -f {partial} {target}\n"
        ))
        .await
    }

    /// The names of the file when it is whole and before, for a shell.
    fn quoted(&self) -> (String, String) {
        (sh::quote(self.path), sh::quote(&format!("{}.partial", self.path)))
    }

    async fn run(&self, script: String) -> Result<(), RecoveryError> {
        let exec = Script::new(script, LIMIT);
        run(self.host, self.name, "receiving a file", exec)
            .await
            .map(drop)
    }
}

/// Writes all of `data`, which may be larger than memory, to `path`, which only root can read.
///
/// # Errors
/// When the data can't be read, the host can't be talked to or the file can't be written.
pub async fn upload(
    host: &dyn Transport,
    name: &str,
    path: &str,
    mut data: impl Read + Send,
) -> Result<(), RecoveryError> {
    let mut upload = Upload::begin(host, name, path).await?;
    let mut piece = Vec::new();
    loop {
        piece.clear();
        data.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
        if piece.is_empty() {
            return upload.finish().await;
        }
        upload.add(&piece).await?;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::transport::memory::{MemoryHost, run_here};

    #[tokio::test]
    async fn what_is_sent_arrives_whole_and_for_root_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it's new/file");
        let data: Vec<u8> = (0..PIECE + 12_345)
            .map(|index| u8::try_from(index % 253).unwrap())
            .collect();
        let host = MemoryHost::new("h", run_here);
        upload(&host, "h", path.to_str().unwrap(), &*data).await.unwrap();
        assert!(fs_err::read(&path).unwrap() == data);
        assert_eq!(
            fs_err::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(!path.with_extension("partial").exists());
    }
}
