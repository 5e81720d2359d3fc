//! Secrets that are generated once and never touched again.

use serde_json::{Value, json};

use super::MANAGER;
use super::call::ApiCall;
use super::client::Api;
use super::error::ApiError;
use super::object::ObjectId;
use super::token::random;
use crate::secret::Redactor;

/// Characters of a generated secret: of 36 kinds, so that nobody guesses it (165 bits).
const LENGTH: usize = 32;

impl Api {
    /// Creates the Secret with a random text under `key`. One that somebody else created in the meantime stays.
    pub async fn make_up_secret(&self, id: &ObjectId, key: &str) -> Result<(), ApiError> {
        let made = async {
            let path = self.path(id).await?;
            // The object's name stands in the body; a POST goes to the collection.
            let collection = path
                .rsplit_once('/')
                .map_or(path.as_str(), |(collection, _)| collection);
            let text = random(LENGTH)?;
            Redactor::process().learn(&text.clone().into());
            let body = secret_object(id, key, &text);
            match self
                .text(ApiCall::post(
                    format!("{collection}?fieldManager={MANAGER}"),
                    &body,
                ))
                .await
            {
                Err(ApiError::Rejected(rejection)) if rejection.reason == "AlreadyExists" => Ok(()),
                answer => answer.map(drop),
            }
        };
        made.await
            .map_err(|e: ApiError| e.during(format_args!("create {id}")))
    }
}

fn secret_object(id: &ObjectId, key: &str, text: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": id.name,
            "namespace": id.namespace,
            "labels": {"app.kubernetes.io/part-of": MANAGER},
        },
        "stringData": {key: text},
    })
}
