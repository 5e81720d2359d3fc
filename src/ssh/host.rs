//! A host as the rest of the program sees it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use super::command::{OutputSender, RunningCommand};
use super::connection::Connection;
use super::script;
use super::shared::SharedConnections;
use super::target::{SshTarget, Timeouts};
use crate::transport::{HeldCommand, Script, ScriptOutput, Stream, Transport, TransportError};

/// A host that can be talked to over SSH.
pub struct SshHost {
    timeouts: Timeouts,
    commands: Arc<Connection>,
    /// Made when the first stream is asked for, and again when it is found broken.
    streams: Mutex<Option<Arc<Connection>>>,
}

/// Connects to a host and logs in.
///
/// # Errors
/// When it can't be reached, its key is not known, or it lets nobody in.
pub async fn connect(target: &SshTarget, timeouts: Timeouts) -> Result<SshHost, TransportError> {
    Ok(SshHost {
        timeouts,
        commands: Connection::open(target, timeouts).await?,
        streams: Mutex::new(None),
    })
}

impl SshHost {
    fn start(&self, text: &str, limit: Duration, listener: OutputSender) -> RunningCommand {
        RunningCommand::start(Arc::clone(&self.commands), text, limit, listener)
    }

    async fn run(&self, exec: Script) -> Result<ScriptOutput, TransportError> {
        let Script {
            script,
            timeout,
            live,
        } = exec;
        let RunningCommand { stop: _stop, result } = self.start(&script::to_run(&script), timeout, live);
        result.await.unwrap_or_else(|_| Err(self.shutting_down()))
    }

    async fn start_hold(&self, script: &str, limit: Duration) -> Result<HeldCommand, TransportError> {
        let (listener, output) = mpsc::channel(1);
        let RunningCommand { stop, result } =
            self.start(&script::to_run(script), Duration::MAX, Some(listener));
        let answer = async {
            match first_line(output).await {
                Some(first_line) => Ok(first_line),
                // No line will come: the command ended.
                None => Err(match result.await {
                    Ok(Ok(output)) => self.commands.target.lost(format!(
                        "the command that should hold a lock ended at once ({}): {}",
                        output.ended,
                        String::from_utf8_lossy(&output.stderr).trim()
                    )),
                    Ok(Err(error)) => error,
                    Err(_) => self.shutting_down(),
                }),
            }
        };
        let first_line = timeout(limit, answer)
            .await
            .map_err(|_| self.commands.target.timed_out(limit))??;
        Ok(HeldCommand::new(first_line, stop))
    }

    /// The connection for streams: bulk traffic in it can't stall commands.
    async fn streams(&self) -> Result<Arc<Connection>, TransportError> {
        let mut streams = self.streams.lock().await;
        if let Some(connection) = streams.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(Arc::clone(connection));
        }
        // Nor in the connection to a jump host: it gets another one there, too.
        let target = self
            .commands
            .target
            .clone()
            .sharing(&SharedConnections::default());
        let connection = Connection::open(&target, self.timeouts).await?;
        *streams = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// A command's task ends without a result only when the program is shutting down.
    fn shutting_down(&self) -> TransportError {
        self.commands.lost("the program is shutting down")
    }
}

/// What comes up to and with the first line feed; none if the output ends before.
async fn first_line(mut output: mpsc::Receiver<Vec<u8>>) -> Option<String> {
    let mut seen = Vec::new();
    while let Some(piece) = output.recv().await {
        seen.extend(piece);
        if let Some(end) = seen.iter().position(|byte| *byte == b'\n') {
            return Some(String::from_utf8_lossy(&seen[..=end]).into_owned());
        }
    }
    None
}

impl Transport for SshHost {
    fn exec(&self, exec: Script) -> BoxFuture<'_, Result<ScriptOutput, TransportError>> {
        Box::pin(self.run(exec))
    }

    fn hold(&self, script: String, limit: Duration) -> BoxFuture<'_, Result<HeldCommand, TransportError>> {
        Box::pin(async move { self.start_hold(&script, limit).await })
    }

    fn connect(&self, address: &str, port: u16) -> BoxFuture<'_, Result<Box<dyn Stream>, TransportError>> {
        let address = address.to_owned();
        Box::pin(async move {
            let tunnel = self
                .streams()
                .await?
                .tunnel(&address, port, self.timeouts.connect)
                .await?;
            Ok(Box::new(tunnel) as Box<dyn Stream>)
        })
    }
}
