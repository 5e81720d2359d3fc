//! A host in memory: answers scripts from a function, for tests of everything above the wire.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::oneshot;

use super::{HeldCommand, Script, ScriptEnd, ScriptOutput, Stream, Transport, TransportError};

/// Answers each script with what the function makes of it.
pub struct MemoryHost<F> {
    name: String,
    answer: F,
}

impl<F: Fn(&str) -> ScriptOutput + Send + Sync> MemoryHost<F> {
    /// A host called `name` whose every script is answered by `answer`.
    pub fn new(name: impl Into<String>, answer: F) -> Self {
        Self {
            name: name.into(),
            answer,
        }
    }
}

impl<F: Fn(&str) -> ScriptOutput + Send + Sync> Transport for MemoryHost<F> {
    fn exec(&self, exec: Script) -> BoxFuture<'_, Result<ScriptOutput, TransportError>> {
        Box::pin(async move {
            let output = (self.answer)(&exec.script);
            if let Some(live) = exec.live {
                // The listener may have gone; the output below is complete either way.
                let _ = live.send(output.stdout.clone()).await;
            }
            Ok(output)
        })
    }

    fn hold(&self, script: String, _limit: Duration) -> BoxFuture<'_, Result<HeldCommand, TransportError>> {
        Box::pin(async move {
            let output = (self.answer)(&script);
            match output.ended {
                ScriptEnd::Exited(0) => {
                    let (guard, dropped) = oneshot::channel();
                    tokio::spawn(dropped);
                    let first_line = String::from_utf8_lossy(&output.stdout).into_owned();
                    Ok(HeldCommand::new(first_line, guard))
                }
                ended => Err(TransportError::Lost {
                    host: self.name.clone(),
                    reason: ended.to_string(),
                }),
            }
        })
    }

    fn connect(&self, address: &str, port: u16) -> BoxFuture<'_, Result<Box<dyn Stream>, TransportError>> {
        let error = TransportError::Unreachable {
            host: self.name.clone(),
            address: format!("{address}:{port}"),
            reason: "a host in memory has no network".to_owned(),
        };
        Box::pin(async move { Err(error) })
    }
}

/// Runs a script on this machine, as a host in memory may answer it. As over SSH, it is read from where there is no limit to its size.
#[cfg(test)]
pub(crate) fn run_here(script: &str) -> ScriptOutput {
    let run = || {
        let file = tempfile::NamedTempFile::new()?;
        fs_err::write(file.path(), script)?;
        std::process::Command::new("sh").arg(file.path()).output()
    };
    let failed = |error: std::io::Error| ScriptOutput {
        ended: ScriptEnd::Exited(127),
        stdout: Vec::new(),
        stderr: error.to_string().into_bytes(),
    };
    run().map_or_else(failed, |output| ScriptOutput {
        ended: ScriptEnd::Exited(output.status.code().unwrap_or(128).unsigned_abs()),
        stdout: output.stdout,
        stderr: output.stderr,
    })
}
