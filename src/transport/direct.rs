//! A host that is this machine as far as its network goes, for tests of the API layer.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::net::TcpStream;

use super::{HeldCommand, Script, ScriptOutput, Stream, Transport, TransportError};

/// Streams are plain TCP connections; it runs no scripts.
#[derive(Debug, Clone, Copy)]
pub struct Direct;

fn refused(address: &str, reason: &impl ToString) -> TransportError {
    TransportError::Unreachable {
        host: "direct".to_owned(),
        address: address.to_owned(),
        reason: reason.to_string(),
    }
}

impl Transport for Direct {
    fn exec(&self, _: Script) -> BoxFuture<'_, Result<ScriptOutput, TransportError>> {
        Box::pin(async { Err(refused("", &"it runs no scripts")) })
    }

    fn hold(&self, _: String, _: Duration) -> BoxFuture<'_, Result<HeldCommand, TransportError>> {
        Box::pin(async { Err(refused("", &"it runs no scripts")) })
    }

    fn connect(&self, address: &str, port: u16) -> BoxFuture<'_, Result<Box<dyn Stream>, TransportError>> {
        let address = format!("{address}:{port}");
        Box::pin(async move {
            let stream = TcpStream::connect(&address).await;
            let stream = stream.map_err(|error| refused(&address, &error))?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}
