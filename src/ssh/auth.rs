//! Logging in: keys, agent, password, in this order, and an account of it when none was accepted.

use std::path::Path;
use std::sync::Arc;

use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Answer};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Algorithm, Certificate, HashAlg, PrivateKeyWithHashAlg, PublicKey};
use russh::{AgentAuthError, MethodKind, MethodSet, Signer};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::UnixStream;

use super::algorithms::{RSA_DEFAULT, is_rsa};
use super::handler::{Handler, SessionNotes, explain};
use super::identity;
use super::target::SshTarget;
use super::user_certificate::{self, AgentSigner, FileSigner, UserCertificate};
use crate::transport::TransportError;

/// A server hangs up after `MaxAuthTries` (6) refusals; one is left for the password.
const MOST_KEYS: usize = 5;
/// PAM closes with a question without prompts; more rounds than this is a server that plays games.
const MOST_ROUNDS: usize = 5;

/// Logs in.
///
/// # Errors
/// [`TransportError::Login`] with all that was tried and what the server would still accept.
pub(super) async fn authenticate(
    session: &mut Handle<Handler>,
    target: &SshTarget,
    notes: &SessionNotes,
) -> Result<(), TransportError> {
    let (certificates, tried) = user_certificate::load(target);
    let mut login = LoginAttempt {
        session,
        target,
        certificates,
        tried,
        offered: Vec::new(),
        accepted: None,
    };
    match login.run().await {
        Ok(true) => Ok(()),
        Ok(false) => Err(target.login_failed(login.account(notes))),
        Err(error) => {
            login.tried.push(explain(&error));
            Err(target.login_failed(login.account(notes)))
        }
    }
}

struct LoginAttempt<'a> {
    session: &'a mut Handle<Handler>,
    target: &'a SshTarget,
    /// Certificates from files.
    certificates: Vec<UserCertificate>,
    /// What was tried, in words.
    tried: Vec<String>,
    /// The keys and certificates that were offered, as they travel; none is offered twice.
    offered: Vec<Vec<u8>>,
    /// What the server accepts, once it has said so.
    accepted: Option<MethodSet>,
}

impl LoginAttempt<'_> {
    /// Whether any way was accepted.
    async fn run(&mut self) -> Result<bool, russh::Error> {
        Ok(self.identities().await?
            || match self.target.agent.socket() {
                Some(socket) => self.agent(&socket).await?,
                None => false,
            }
            || match self.target.password.clone() {
                Some(password) => {
                    self.password(&password).await? || self.keyboard_interactive(&password).await?
                }
                None => false,
            })
    }

    async fn identities(&mut self) -> Result<bool, russh::Error> {
        for path in &self.target.identities {
            let key = match self
                .target
                .shared
                .key(path, self.target.passphrase.as_ref())
                .await
            {
                Ok(key) => key,
                Err(reason) => {
                    self.tried.push(reason);
                    continue;
                }
            };
            let mut signer = FileSigner(Arc::clone(&key));
            if self.certificates_of(key.public_key(), &mut signer).await? {
                return Ok(true);
            }
            let name = format!(
                "key {} ({})",
                path.display(),
                identity::describe(key.public_key())
            );
            let Some(hash) = self.offer_key(&name, key.public_key()).await? else {
                continue;
            };
            let key = PrivateKeyWithHashAlg::new(key, hash);
            let result = self
                .session
                .authenticate_publickey(self.target.user(), key)
                .await?;
            if self.accepts(&name, result) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn agent(&mut self, socket: &Path) -> Result<bool, russh::Error> {
        let (mut agent, mut keys) = match identity::agent(socket, self.session.agent_session_binding()).await
        {
            Ok(found) => found,
            Err(reason) => {
                self.tried.push(format!("agent: {reason}"));
                return Ok(false);
            }
        };
        let named: Vec<PublicKey> = self
            .target
            .identities
            .iter()
            .filter_map(|path| identity::public_half(path))
            .collect();
        let is_named = |key: &AgentIdentity| {
            let key = key.public_key();
            named.iter().any(|known| known.key_data() == key.key_data())
        };
        keys.retain(|key| is_named(key) || !self.target.identities_only);
        keys.sort_by_key(|key| !is_named(key));
        if keys.is_empty() {
            self.tried.push("agent: it has no key to offer".to_owned());
        }
        for key in keys {
            let described = format!("{} ({})", key.comment(), identity::describe(&key.public_key()));
            let accepted = match key {
                AgentIdentity::Certificate { certificate, .. } => {
                    let name = format!("agent's certificate {described}");
                    self.certificate(&name, certificate, &mut agent).await?
                }
                AgentIdentity::PublicKey { key, .. } => {
                    let name = format!("agent's key {described}");
                    self.key_of_agent(&name, key, &mut agent).await?
                }
            };
            if accepted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn key_of_agent(
        &mut self,
        name: &str,
        key: PublicKey,
        agent: &mut AgentClient<UnixStream>,
    ) -> Result<bool, russh::Error> {
        let mut signer = AgentSigner {
            agent,
            key: key.clone(),
        };
        if self.certificates_of(&key, &mut signer).await? {
            return Ok(true);
        }
        let Some(hash) = self.offer_key(name, &key).await? else {
            return Ok(false);
        };
        let user = self.target.user();
        let result = self
            .session
            .authenticate_publickey_with(user, key, hash, signer.agent)
            .await;
        Ok(self.signed(name, result))
    }

    /// Offers the certificates from files that are for this key.
    async fn certificates_of(
        &mut self,
        key: &PublicKey,
        signer: &mut impl Signer<Error = AgentAuthError>,
    ) -> Result<bool, russh::Error> {
        for UserCertificate { path, certificate } in self.certificates.clone() {
            if certificate.public_key() != key.key_data() {
                continue;
            }
            let name = format!("certificate {} ({})", path.display(), identity::describe(key));
            if self.certificate(&name, certificate, signer).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn certificate(
        &mut self,
        name: &str,
        certificate: Certificate,
        signer: &mut impl Signer<Error = AgentAuthError>,
    ) -> Result<bool, russh::Error> {
        let (algorithm, blob) = (certificate.algorithm(), certificate.to_bytes()?);
        let Some(hash) = self.offer(name, &algorithm, blob).await? else {
            return Ok(false);
        };
        let user = self.target.user();
        let result = self
            .session
            .authenticate_certificate_with(user, certificate, hash, signer)
            .await;
        Ok(self.signed(name, result))
    }

    /// Whether it was accepted. Who can't sign is no obstacle for the next.
    fn signed(&mut self, name: &str, result: Result<AuthResult, AgentAuthError>) -> bool {
        match result {
            Ok(result) => self.accepts(name, result),
            Err(error) => {
                self.tried
                    .push(format!("{name}: it was not signed with: {error}"));
                false
            }
        }
    }

    async fn password(&mut self, password: &SecretString) -> Result<bool, russh::Error> {
        if !self.worth_trying(MethodKind::Password) {
            return Ok(false);
        }
        let user = self.target.user();
        let result = self
            .session
            .authenticate_password(user, password.expose_secret())
            .await?;
        Ok(self.accepts("password", result))
    }

    /// Answers every hidden question with the password, once.
    async fn keyboard_interactive(&mut self, password: &SecretString) -> Result<bool, russh::Error> {
        if !self.worth_trying(MethodKind::KeyboardInteractive) {
            return Ok(false);
        }
        let user = self.target.user();
        let mut answer = self
            .session
            .authenticate_keyboard_interactive_start(user, None)
            .await?;
        let mut asked = false;
        for _ in 0..MOST_ROUNDS {
            let prompts = match answer {
                Answer::Success => return Ok(true),
                Answer::Failure {
                    remaining_methods,
                    partial_success,
                } => {
                    let result = AuthResult::Failure {
                        remaining_methods,
                        partial_success,
                    };
                    return Ok(self.accepts("keyboard-interactive password", result));
                }
                Answer::InfoRequest { prompts, .. } => prompts,
            };
            if asked && !prompts.is_empty() {
                break;
            }
            asked |= !prompts.is_empty();
            let secret = |echo: bool| {
                if echo {
                    String::new()
                } else {
                    password.expose_secret().to_owned()
                }
            };
            let responses = prompts.iter().map(|prompt| secret(prompt.echo)).collect();
            answer = self
                .session
                .authenticate_keyboard_interactive_respond(responses)
                .await?;
        }
        self.tried
            .push("keyboard-interactive: the server asks for more than a password".to_owned());
        Ok(false)
    }

    async fn offer_key(
        &mut self,
        name: &str,
        key: &PublicKey,
    ) -> Result<Option<Option<HashAlg>>, russh::Error> {
        self.offer(name, &key.algorithm(), key.to_bytes()?).await
    }

    /// Whether to offer a key or certificate, and with which hash it signs.
    async fn offer(
        &mut self,
        name: &str,
        algorithm: &Algorithm,
        blob: Vec<u8>,
    ) -> Result<Option<Option<HashAlg>>, russh::Error> {
        if self.offered.contains(&blob) || !self.worth_trying(MethodKind::PublicKey) {
            return Ok(None);
        }
        if self.offered.len() == MOST_KEYS {
            self.tried.push(format!(
                "{name}: not offered, {MOST_KEYS} keys were refused already"
            ));
            return Ok(None);
        }
        self.offered.push(blob);
        if !is_rsa(algorithm) {
            return Ok(Some(None));
        }
        Ok(match self.session.best_supported_rsa_hash().await? {
            Some(None) => {
                self.tried.push(format!(
                    "{name}: the server takes RSA with SHA-1 only, which is not offered"
                ));
                None
            }
            Some(hash) => Some(hash),
            None => Some(Some(RSA_DEFAULT)),
        })
    }

    fn worth_trying(&self, method: MethodKind) -> bool {
        !self.hung_up()
            && self
                .accepted
                .as_ref()
                .is_none_or(|accepted| accepted.contains(&method))
    }

    /// russh reports a connection that ended as a failure without remaining methods.
    fn hung_up(&self) -> bool {
        self.session.is_closed() || self.accepted.as_ref().is_some_and(|accepted| accepted.is_empty())
    }

    fn accepts(&mut self, name: &str, result: AuthResult) -> bool {
        let AuthResult::Failure {
            remaining_methods,
            partial_success,
        } = result
        else {
            return true;
        };
        let verdict = if partial_success {
            "accepted, but not enough alone"
        } else {
            "refused"
        };
        self.tried.push(format!("{name}: {verdict}"));
        self.accepted = Some(remaining_methods);
        false
    }

    fn account(&self, notes: &SessionNotes) -> String {
        let mut text = if self.tried.is_empty() {
            "nothing to log in with: give an identity, the agent or a password".to_owned()
        } else {
            self.tried.join("; ")
        };
        if self.hung_up() {
            text.push_str("; then the server closed the connection");
            text.extend(notes.ended().map(|why| format!(" ({why})")));
        } else if let Some(accepted) = &self.accepted {
            let names: Vec<&str> = accepted.iter().map(Into::into).collect();
            text = format!("{text}. The server accepts: {}", names.join(", "));
        }
        text.extend(notes.banner().map(|banner| format!(". Its banner: {banner}")));
        text
    }
}
