//! What a command printed: as much as fits.

use std::collections::VecDeque;

use super::script::READY;

/// Bytes kept of the beginning of an output, and again of its end.
const KEPT: usize = 4 << 20;
/// Bytes kept of what comes before the script's own output.
const NOISE: usize = 64 << 10;

/// One output of a command.
#[derive(Debug, Default)]
pub(super) struct Capture {
    /// What came before [`READY`].
    noise: Vec<u8>,
    ready: bool,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    cut: usize,
}

impl Capture {
    /// Takes what arrived and gives back the part that the script itself printed.
    pub(super) fn push(&mut self, data: &[u8]) -> Vec<u8> {
        let own = if self.ready {
            data.to_vec()
        } else {
            self.skip_noise(data)
        };
        self.keep(&own);
        own
    }

    /// Whether the script's shell has started.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// What came before the script's shell started; all there is if it never did.
    pub(super) fn noise(&self) -> &[u8] {
        &self.noise
    }

    /// The output; if it was too long its middle is missing, which a line in its place says.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.head;
        if self.cut > 0 {
            bytes.extend_from_slice(format!("\n[... {} bytes left out ...]\n", self.cut).as_bytes());
        }
        bytes.extend(self.tail);
        bytes
    }

    fn skip_noise(&mut self, data: &[u8]) -> Vec<u8> {
        self.noise.extend_from_slice(data);
        if let Some(at) = find(&self.noise, READY) {
            self.ready = true;
            let own = self.noise.split_off(at + READY.len());
            self.noise.truncate(at);
            return own;
        }
        if self.noise.len() > NOISE {
            self.noise.drain(..self.noise.len() - NOISE / 2);
        }
        Vec::new()
    }

    fn keep(&mut self, data: &[u8]) {
        let room = KEPT.saturating_sub(self.head.len()).min(data.len());
        let (head, tail) = data.split_at(room);
        self.head.extend_from_slice(head);
        self.tail.extend(tail);
        let over = self.tail.len().saturating_sub(KEPT);
        self.tail.drain(..over);
        self.cut += over;
    }
}

pub(super) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
