//! One host: one connection, one command.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate, check_known_hosts_path};
use russh::{ChannelMsg, Disconnect, client};

use crate::quick::QuickAck;

/// Where to log in, and what to run there.
pub(crate) struct Host {
    pub(crate) address: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) known_hosts: PathBuf,
    pub(crate) key: Arc<PrivateKey>,
    pub(crate) script: String,
}

struct Check {
    address: String,
    port: u16,
    known_hosts: PathBuf,
}

impl client::Handler for Check {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let known = check_known_hosts_path(&self.address, self.port, &shown.public_key(), &self.known_hosts);
        Ok(known.unwrap_or(false))
    }
}

impl Host {
    /// Connects, runs the script and reads its output to the end.
    pub(crate) async fn ask(self) -> Result<()> {
        let address = self.address.clone();
        self.talk().await.with_context(|| format!("host {address}"))
    }

    async fn talk(self) -> Result<()> {
        let stream = QuickAck::connect(&self.address, self.port).await?;
        let check = Check {
            address: self.address,
            port: self.port,
            known_hosts: self.known_hosts,
        };
        let mut session = client::connect_stream(Arc::default(), stream, check).await?;
        let key = PrivateKeyWithHashAlg::new(self.key, None);
        let login = session.authenticate_publickey(self.user, key).await?;
        ensure!(login.success(), "it refuses the key");
        let mut channel = session.channel_open_session().await?;
        channel.exec(false, "exec sh -s").await?;
        channel.data_bytes(self.script).await?;
        channel.eof().await?;
        let (mut read, mut status) = (0, None);
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Data { data } => read += data.len(),
                ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                _ => {}
            }
        }
        ensure!(
            status == Some(0) && read > 0,
            "the script ended with {status:?} after {read} bytes"
        );
        session.disconnect(Disconnect::ByApplication, "", "en").await?;
        Ok(())
    }
}
