//! The TCP connection below SSH.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::reach::reach;

/// A TCP stream that acknowledges at once.
///
/// sshd leaves Nagle on for sessions without a terminal, so its second small packet waits for our acknowledgement,
/// which Linux delays by 40 ms. The kernel forgets the setting, so it is renewed at each read.
pub(super) struct QuickAck(TcpStream);

impl QuickAck {
    /// Connects to whichever address of `host` answers first.
    pub(super) async fn connect(host: &str, port: u16) -> io::Result<Self> {
        let stream = reach(host, port).await?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }
}

impl AsyncRead for QuickAck {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(cx, buf);
        // It only makes things faster: a kernel without it is no reason to fail.
        let _ = self.0.set_quickack(true);
        read
    }
}

impl AsyncWrite for QuickAck {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
