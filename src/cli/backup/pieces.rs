//! What a host sends, packed while it arrives.

use std::io::{self, Read};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::bundle::{BundleError, Packer, Sink};
use crate::recovery::RecoveryError;

use super::super::{Exit, Failure, OrExit};

/// Runs `taking`, which sends pieces, and `pack`, which reads them, side by side. What came of the second may be of no interest after the
/// first.
pub(super) async fn packed<T>(
    mut packer: Packer<Sink>,
    pack: fn(&mut Packer<Sink>, Pieces) -> Result<(), BundleError>,
    taking: impl AsyncFnOnce(UnboundedSender<Vec<u8>>) -> Result<T, RecoveryError>,
) -> Result<(T, Result<Packer<Sink>, BundleError>), Failure> {
    let (sender, receiver) = unbounded_channel();
    let pieces = Pieces {
        pieces: receiver,
        current: io::Cursor::default(),
    };
    let packing = tokio::task::spawn_blocking(move || pack(&mut packer, pieces).map(|()| packer));
    let taken = taking(sender).await.or_exit(Exit::StepFailed)?;
    Ok((taken, packing.await?))
}

/// What arrives in pieces, as something to read.
pub(super) struct Pieces {
    pieces: UnboundedReceiver<Vec<u8>>,
    current: io::Cursor<Vec<u8>>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.current.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            match self.pieces.blocking_recv() {
                Some(piece) => self.current = io::Cursor::new(piece),
                None => return Ok(0),
            }
        }
    }
}
