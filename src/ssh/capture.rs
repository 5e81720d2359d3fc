//! What a command printed: as much as fits.

use std::collections::VecDeque;

use super::script::READY;

/// Bytes kept of the beginning of an output, and again of its end.
const KEPT: usize = 4 << 20;
/// Bytes kept of what comes before the script's own output.
const NOISE: usize = 64 << 10;

/// One output of a command.
#[derive(Debug, Default)]
pub(super) struct OutputCapture {
    /// What came before [`READY`].
    noise: Vec<u8>,
    ready: bool,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    cut: usize,
}

impl OutputCapture {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> OutputCapture {
        let mut capture = OutputCapture::default();
        capture.push(READY);
        capture
    }

    #[test]
    fn noise_ends_where_the_shell_starts_however_it_arrives() {
        let text = [b"Welcome!\nci-bootstrap: no\n", READY, b"out\n"].concat();
        for size in 1..text.len() {
            let mut capture = OutputCapture::default();
            let mut own = Vec::new();
            for piece in text.chunks(size) {
                own.extend(capture.push(piece));
            }
            assert_eq!(own, b"out\n", "in pieces of {size}");
            assert!(capture.is_ready());
            assert_eq!(capture.noise(), b"Welcome!\nci-bootstrap: no\n");
            assert_eq!(capture.into_bytes(), b"out\n");
        }
    }

    #[test]
    fn endless_noise_is_bounded() {
        let mut capture = OutputCapture::default();
        for _ in 0..100 {
            capture.push(&[b'x'; 10_000]);
        }
        assert!(capture.noise().len() <= NOISE + 10_000);
        capture.push(READY);
        assert!(capture.is_ready());
    }

    #[test]
    fn what_fits_is_kept_whole() {
        let mut capture = ready();
        let text: Vec<u8> = (0..2 * KEPT)
            .map(|index| u8::try_from(index % 251).unwrap_or_default())
            .collect();
        for piece in text.chunks(32_768) {
            capture.push(piece);
        }
        assert!(capture.into_bytes() == text);
    }

    #[test]
    fn of_more_the_middle_is_left_out_and_counted() {
        let mut capture = ready();
        capture.push(&vec![b'a'; KEPT]);
        capture.push(&[b'b'; 1000]);
        capture.push(&vec![b'c'; KEPT]);
        let bytes = capture.into_bytes();
        let mark = b"\n[... 1000 bytes left out ...]\n";
        assert_eq!(bytes.len(), 2 * KEPT + mark.len());
        assert_eq!(&bytes[KEPT..KEPT + mark.len()], mark);
        assert!(bytes.ends_with(b"c"));
    }
}
