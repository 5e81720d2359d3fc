//! Single objects: read one, delete one.

use std::time::Duration;

use tokio::time::Instant;

use super::call::ApiCall;
use super::client::Api;
use super::error::ApiError;
use super::object::{Object, ObjectId};

impl Api {
    /// The live object, `None` if it or its kind does not exist.
    pub async fn read(&self, id: &ObjectId) -> Result<Option<Object>, ApiError> {
        let read = async {
            match self.path(id).await {
                Ok(path) => self.json_opt(ApiCall::get(path)).await,
                Err(ApiError::UnknownKind { .. }) => Ok(None),
                Err(e) => Err(e),
            }
        };
        read.await.map_err(|e| e.during(format_args!("read {id}")))
    }

    /// Deletes an object and waits until it is gone; what it owns follows. One that does not exist is fine, and one of the same name
    /// that comes after it stays.
    pub async fn delete(&self, id: &ObjectId, limit: Duration) -> Result<(), ApiError> {
        let deadline = Instant::now() + limit;
        let deleted = async {
            let mut first = None;
            while let Some(live) = self.read(id).await? {
                let uid = live["metadata"]["uid"].clone();
                if *first.get_or_insert_with(|| uid.clone()) != uid {
                    // A StatefulSet makes its pod again at once: without this look, that one would be deleted, and the next, for ever.
                    return Ok(());
                }
                if live["metadata"]["deletionTimestamp"].is_null() {
                    let path = self.path(id).await?;
                    self.json_opt(ApiCall::delete(format!("{path}?propagationPolicy=Background")))
                        .await?;
                } else if Instant::now() >= deadline {
                    let finalizers = live["metadata"]["finalizers"].to_string();
                    return Err(ApiError::StillThere { limit, finalizers });
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Ok(())
        };
        deleted.await.map_err(|e| e.during(format_args!("delete {id}")))
    }
}
