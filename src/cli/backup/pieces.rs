//! What a host sends, packed while it arrives.

use std::io::{self, Read};
use std::pin::pin;

use anyhow::Context as _;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::bundle::{BundleError, BundleOutput, BundleWriter};
use crate::recovery::RecoveryError;

use super::super::{CommandFailure, Exit, OrExit};

/// Pieces that wait to be packed; a host that is faster waits, too. So a bundle may be larger than memory.
const WAITING: usize = 64;
const UNWRITABLE: &str = "the bundle can't be written";

/// Runs `taking`, which sends pieces, and `pack`, which reads them, side by side. What came of the second may be of no interest after the
/// first; but when it ends before all has arrived, nobody would read the rest.
pub(super) async fn packed<T>(
    mut packer: BundleWriter<BundleOutput>,
    pack: fn(&mut BundleWriter<BundleOutput>, &mut ChunkReader) -> Result<(), BundleError>,
    taking: impl AsyncFnOnce(Sender<Vec<u8>>) -> Result<T, RecoveryError>,
) -> Result<(T, Result<BundleWriter<BundleOutput>, CommandFailure>), CommandFailure> {
    let (sender, receiver) = channel(WAITING);
    let mut pieces = ChunkReader {
        receiver,
        current: io::Cursor::default(),
        ended: false,
    };
    let mut packing = tokio::task::spawn_blocking(move || {
        let bundle = pack(&mut packer, &mut pieces).map(|()| packer);
        (bundle, pieces.ended)
    });
    let mut taking = pin!(taking(sender));
    tokio::select! {
        taken = &mut taking => {
            let taken = taken.or_exit(Exit::StepFailed)?;
            let (bundle, _) = packing.await?;
            Ok((taken, written(bundle)))
        }
        done = &mut packing => match done? {
            (Err(error), false) => written(Err(error)),
            (bundle, _) => {
                let taken = taking.await.or_exit(Exit::StepFailed)?;
                Ok((taken, written(bundle)))
            }
        },
    }
}

fn written<T>(bundle: Result<T, BundleError>) -> Result<T, CommandFailure> {
    bundle.context(UNWRITABLE).or_exit(Exit::StepFailed)
}

/// What arrives in pieces, as something to read.
pub(super) struct ChunkReader {
    receiver: Receiver<Vec<u8>>,
    current: io::Cursor<Vec<u8>>,
    /// Whether the last piece has been read.
    ended: bool,
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.current.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(piece) = self.receiver.blocking_recv() else {
                self.ended = true;
                return Ok(0);
            };
            self.current = io::Cursor::new(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::bundle::BundleHeader;

    fn packer() -> BundleWriter<BundleOutput> {
        let about = serde_json::json!({
            "format": 1, "program": "", "made": "", "cluster": "", "kubernetes": "", "endpoint": "",
            "networks": ["", "", ""], "hosts": [], "takenOn": "",
        });
        let about: BundleHeader = serde_json::from_value(about).unwrap();
        let sink = BundleOutput::new(tempfile::tempfile().unwrap(), &[]).unwrap();
        BundleWriter::begin(sink, &about).unwrap()
    }

    #[tokio::test]
    async fn nobody_waits_for_a_host_that_sends_what_cant_be_packed() {
        // It would send for ever.
        let taking = async |sender: Sender<Vec<u8>>| {
            while sender.send(b"no archive".to_vec()).await.is_ok() {}
            std::future::pending().await
        };
        let packed = packed::<()>(packer(), |packer, pieces| packer.add_archive(pieces), taking);
        let failure = packed.await.err().unwrap();
        assert_eq!(failure.exit, Exit::StepFailed);
        assert!(
            failure.error.to_string().contains(UNWRITABLE),
            "{:#}",
            failure.error
        );
    }

    #[tokio::test]
    async fn a_host_that_fails_is_what_is_told() {
        let taking = async |sender: Sender<Vec<u8>>| {
            drop(sender);
            Err(RecoveryError::Read(io::Error::other("no etcd")))
        };
        let packed = packed::<()>(packer(), |packer, pieces| packer.add_archive(pieces), taking);
        let failure = packed.await.err().unwrap();
        assert_eq!(failure.error.to_string(), "no etcd");
    }
}
