//! Bootstrap tokens: what a node shows when it joins, short-lived and deleted after use.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp, Unit};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::MANAGER;
use super::call::ApiCall;
use super::client::Api;
use super::error::ApiError;
use super::node::items;
use crate::secret::Redactor;

const SECRETS: &str = "/api/v1/namespaces/kube-system/secrets";
const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// A token that lets nodes join until it expires or is deleted.
#[derive(Debug)]
pub struct BootstrapToken {
    /// The public half, which names the token's Secret.
    pub id: String,
    /// `id.secret`, as `kubeadm join --token` takes it.
    pub value: SecretString,
}

/// A token of ours that is still in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftoverToken {
    /// The public half.
    pub id: String,
    /// RFC 3339; empty for one that never expires.
    pub expires: String,
}

impl Api {
    /// Creates a token that nodes can join with for `lifetime`.
    pub async fn create_token(&self, lifetime: Duration) -> Result<BootstrapToken, ApiError> {
        let created = async {
            let (id, secret) = (random(6)?, random(16)?);
            Redactor::process().learn(&secret.clone().into());
            let body = secret_object(&id, &secret, Timestamp::now(), lifetime);
            self.text(ApiCall::post(format!("{SECRETS}?fieldManager={MANAGER}"), &body))
                .await?;
            let value = SecretString::from(format!("{id}.{secret}"));
            Ok(BootstrapToken { id, value })
        };
        created
            .await
            .map_err(|e: ApiError| e.during("create a bootstrap token"))
    }

    /// Deletes a token by its id; one that is gone already is fine.
    pub async fn delete_token(&self, id: &str) -> Result<(), ApiError> {
        let call = ApiCall::delete(format!("{SECRETS}/bootstrap-token-{id}"));
        let deleted = self.json_opt(call).await.map(drop);
        deleted.map_err(|e| e.during(format_args!("delete bootstrap token {id}")))
    }

    /// The tokens that we created and that were not deleted, such as those of a run that was killed.
    pub async fn left_tokens(&self) -> Result<Vec<LeftoverToken>, ApiError> {
        let path = format!("{SECRETS}?fieldSelector=type%3Dbootstrap.kubernetes.io/token");
        let list = self.json(ApiCall::get(path)).await;
        let list = list.map_err(|e| e.during("list bootstrap tokens"))?;
        let ours = items(&list["items"]).filter(|secret| decoded(secret, "description").starts_with(MANAGER));
        Ok(ours
            .map(|secret| LeftoverToken {
                id: decoded(secret, "token-id"),
                expires: decoded(secret, "expiration"),
            })
            .collect())
    }
}

fn secret_object(id: &str, secret: &str, now: Timestamp, lifetime: Duration) -> Value {
    let lifetime = SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::from_hours(1));
    let expires = now.saturating_add(lifetime).unwrap_or(now);
    // The token controller and kubeadm print whole seconds.
    let expires = expires.round(Unit::Second).unwrap_or(expires);
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": format!("bootstrap-token-{id}"), "namespace": "kube-system"},
        "stringData": {
            "description": format!("{MANAGER}: lets nodes join during one run"),
            "token-id": id,
            "token-secret": secret,
            "expiration": expires.to_string(),
            "usage-bootstrap-authentication": "true",
            "usage-bootstrap-signing": "true",
            "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
        },
    })
}

fn decoded(secret: &Value, key: &str) -> String {
    let encoded = secret["data"][key].as_str().unwrap_or_default();
    String::from_utf8(BASE64.decode(encoded).unwrap_or_default()).unwrap_or_default()
}

/// Random characters of the token alphabet.
pub(super) fn random(length: usize) -> Result<String, ApiError> {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut byte = [0];
        getrandom::fill(&mut byte).map_err(|e| ApiError::Random(e.to_string()))?;
        // Bytes from 252 on would make the first four characters more likely.
        if byte[0] < 252 {
            text.push(char::from(ALPHABET[usize::from(byte[0] % 36)]));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
    use super::*;

    #[test]
    fn a_token_expires_on_a_whole_second_and_names_its_maker() {
        let now: Timestamp = "2026-11-21T10:00:00.7Z".parse().unwrap();
        let object = secret_object("abcdef", "0123456789abcdef", now, Duration::from_secs(1800));
        assert_eq!(object["stringData"]["expiration"], "2026-11-21T10:30:01Z");
        assert_eq!(object["metadata"]["name"], "bootstrap-token-abcdef");
        assert!(
            object["stringData"]["description"]
                .as_str()
                .unwrap()
                .starts_with("ci-bootstrap")
        );
    }

    #[test]
    fn random_text_has_the_length_and_alphabet() {
        let text = random(16).unwrap();
        assert_eq!(text.len(), 16);
        assert!(text.bytes().all(|b| ALPHABET.contains(&b)), "{text}");
        assert_ne!(text, random(16).unwrap());
    }
}
