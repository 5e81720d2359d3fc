//! One remote command: a task of its own that talks to one channel and closes it, whatever happens.
//!
//! The task reads all the time, even if nobody waits for the command: russh stops the whole connection for one
//! channel that is not read. It pauses only for a listener that has no room, and then that is what is wanted. And it
//! closes the channel itself, since a dropped one would count as open for ever.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::select;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Sleep, interval_at, sleep, timeout};

use super::capture::OutputCapture;
use super::connection::Connection;
use super::handler::explain;
use super::script::{PULSE, RemoteScript, SIGN_OF_LIFE};
use super::start;
use crate::transport::{ScriptEnd, ScriptOutput, TransportError};

/// How long output may go on after the exit status: longer means that a process left behind keeps it open.
const AFTER_EXIT: Duration = Duration::from_secs(2);
/// How long a command may take to end that nobody waits for any more: longer than the watcher's patience.
const CLOSING: Duration = Duration::from_secs(10);

/// Receives the script's standard output as it comes, where somebody wants it.
pub(super) type OutputSender = Option<mpsc::Sender<Vec<u8>>>;

/// A command under way; when `stop` is dropped, the command is ended.
pub(super) struct RunningCommand {
    pub(super) stop: oneshot::Sender<()>,
    pub(super) result: oneshot::Receiver<Result<ScriptOutput, TransportError>>,
}

impl RunningCommand {
    /// Starts `text` (see [`super::script`]) as root; it may take `limit`.
    pub(super) fn start(
        connection: Arc<Connection>,
        text: &str,
        limit: Duration,
        listener: OutputSender,
    ) -> Self {
        let remote = RemoteScript::new(&connection.target.sudo, text);
        let (stop, stopped) = oneshot::channel();
        let (report, result) = oneshot::channel();
        tokio::spawn(async move {
            let slot = connection.slot().await;
            let mut opening = pin!(connection.session());
            match timeout(limit, &mut opening).await {
                Ok(Ok(channel)) => {
                    attend(&connection, channel, remote, limit, listener, stopped, report).await;
                }
                Ok(Err(error)) => drop(report.send(Err(error))),
                Err(_) => {
                    let _ = report.send(Err(connection.target.timed_out(limit)));
                    // If the channel opens after all, somebody has to close it.
                    if let Ok(channel) = opening.await {
                        let _ = channel.close().await;
                    }
                }
            }
            drop(slot);
        });
        Self { stop, result }
    }
}

/// Talks until the command ends, its time is over or nobody wants it any more; then reports and closes.
async fn attend(
    connection: &Connection,
    channel: Channel<Msg>,
    remote: RemoteScript,
    limit: Duration,
    listener: OutputSender,
    stopped: oneshot::Receiver<()>,
    report: oneshot::Sender<Result<ScriptOutput, TransportError>>,
) {
    let (mut read, write) = channel.split();
    let mut progress = CommandProgress::new(listener);
    let end = select! {
        // First, so that a command which nobody wants any more is not even started.
        biased;
        _ = stopped => ConversationEnd::Unwanted,
        end = progress.talk(&mut read, &write, remote, limit) => end,
    };
    let (closed, exited) = (
        matches!(end, ConversationEnd::Closed),
        matches!(end, ConversationEnd::Exited),
    );
    let result = progress.conclude(connection, end, limit);
    // The receiver may have gone.
    let _ = report.send(result);
    if !closed && !exited {
        // The end of its standard input ends the command (see [`super::script`]), after which the server closes the
        // channel; only then is there room for another session.
        let _ = write.eof().await;
        let ended = async { while !matches!(read.wait().await, None | Some(ChannelMsg::Close)) {} };
        let _ = timeout(CLOSING, ended).await;
    }
    if !closed {
        let _ = write.close().await;
    }
}

/// Why the talking is over.
enum ConversationEnd {
    /// The server closed the channel.
    Closed,
    /// The exit status came, but a process left behind keeps the outputs open.
    Exited,
    /// The connection is gone.
    Lost(String),
    /// sudo asks for the password again.
    PasswordRefused,
    TimedOut,
    Unwanted,
}

struct CommandProgress {
    stdout: OutputCapture,
    stderr: OutputCapture,
    ended: Option<ScriptEnd>,
    listener: OutputSender,
}

impl CommandProgress {
    fn new(listener: OutputSender) -> Self {
        Self {
            stdout: OutputCapture::default(),
            stderr: OutputCapture::default(),
            ended: None,
            listener,
        }
    }

    /// Command and script go out together, without waiting for the server's consent: a round trip less.
    async fn talk(
        &mut self,
        read: &mut ChannelReadHalf,
        write: &ChannelWriteHalf<Msg>,
        remote: RemoteScript,
        limit: Duration,
    ) -> ConversationEnd {
        let mut time_out = pin!(sleep(limit));
        select! {
            sent = write.exec(false, remote.command) => {
                if let Err(error) = sent {
                    return ConversationEnd::Lost(explain(&error));
                }
            }
            () = &mut time_out => return ConversationEnd::TimedOut,
        }
        let send = |text: String| write.data_bytes(text);
        let mut writing = pin!(send(remote.first));
        let mut when_ready = remote.when_ready;
        let mut written = false;
        let mut pulse = interval_at(tokio::time::Instant::now() + PULSE, PULSE);
        loop {
            // A script that has not arrived is no script yet, and one that has ended needs no sign.
            let runs = written && when_ready.is_none() && self.ended.is_none();
            // Reading must end the writing: nobody wakes a writer whose command no longer reads.
            let message = select! {
                message = self.next(read) => message,
                _ = pulse.tick(), if runs => {
                    writing.set(send(SIGN_OF_LIFE.to_owned()));
                    written = false;
                    continue;
                }
                _ = &mut writing, if !written => {
                    written = true;
                    continue;
                }
                () = &mut time_out => return ConversationEnd::TimedOut,
            };
            if let Some(end) = self.take(message, time_out.as_mut()).await {
                return end;
            }
            if self.stderr.is_ready()
                && let Some(text) = when_ready.take()
            {
                writing.set(send(text));
                written = false;
            }
        }
    }

    async fn next(&mut self, read: &mut ChannelReadHalf) -> Option<ChannelMsg> {
        if self.ended.is_none() {
            return read.wait().await;
        }
        timeout(AFTER_EXIT, read.wait()).await.unwrap_or(None)
    }

    async fn take(
        &mut self,
        message: Option<ChannelMsg>,
        time_out: Pin<&mut Sleep>,
    ) -> Option<ConversationEnd> {
        match message {
            Some(ChannelMsg::Data { data }) => {
                let own = self.stdout.push(&data);
                self.tell(own, time_out).await;
            }
            Some(ChannelMsg::ExtendedData { data, .. }) => {
                self.stderr.push(&data);
                if !self.stderr.is_ready() && start::asked_again(self.stderr.noise()) {
                    return Some(ConversationEnd::PasswordRefused);
                }
            }
            Some(ChannelMsg::ExitStatus { exit_status }) => self.ended = Some(ScriptEnd::Exited(exit_status)),
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                self.ended = Some(ScriptEnd::Signalled(signal(&signal_name)));
            }
            Some(ChannelMsg::Close) => return Some(ConversationEnd::Closed),
            None if self.ended.is_some() => return Some(ConversationEnd::Exited),
            None => return Some(ConversationEnd::Lost("the connection is closed".to_owned())),
            Some(_) => {}
        }
        None
    }

    /// Hands over what the script printed. Time that the listener takes is not the host's, and its time-out is put off.
    async fn tell(&mut self, own: Vec<u8>, time_out: Pin<&mut Sleep>) {
        let Some(listener) = self.listener.as_ref().filter(|_| !own.is_empty()) else {
            return;
        };
        let began = Instant::now();
        // The listener may have gone; the output is complete either way.
        let _ = listener.send(own).await;
        let deadline = time_out.deadline() + began.elapsed();
        time_out.reset(deadline);
    }

    fn conclude(
        self,
        connection: &Connection,
        end: ConversationEnd,
        limit: Duration,
    ) -> Result<ScriptOutput, TransportError> {
        let target = &connection.target;
        let started = self.stderr.is_ready();
        match (end, self.ended) {
            (ConversationEnd::Lost(reason), None) => Err(connection.lost(&reason)),
            (ConversationEnd::PasswordRefused, _) => Err(target.login_failed(start::PASSWORD_REFUSED)),
            (ConversationEnd::TimedOut | ConversationEnd::Unwanted, None)
                if started || self.stderr.noise().is_empty() =>
            {
                Err(target.timed_out(limit))
            }
            (_, Some(ended)) if started => Ok(ScriptOutput {
                ended,
                stdout: self.stdout.into_bytes(),
                stderr: self.stderr.into_bytes(),
            }),
            (_, None) if started => {
                Err(connection.lost("the server closed the channel without an exit status"))
            }
            (_, ended) => {
                Err(target.login_failed(start::explain(&target.sudo, ended, &self.stdout, &self.stderr)))
            }
        }
    }
}

fn signal(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => name.clone(),
        known => format!("{known:?}"),
    }
}
