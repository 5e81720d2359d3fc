//! One request to the API server.

use std::time::Duration;

use http::{Method, Request};
use serde_json::Value;

use super::error::ApiError;

/// Longest time one request may take, retries of an overloaded server included.
const LIMIT: Duration = Duration::from_secs(30);

/// Method, path with query, and body.
#[derive(Debug, Clone)]
pub(super) struct ApiCall {
    method: Method,
    path: String,
    content_type: &'static str,
    body: Vec<u8>,
    /// Longest time the answer may take.
    pub(super) limit: Duration,
}

impl ApiCall {
    fn new(method: Method, path: impl Into<String>, content_type: &'static str, body: Vec<u8>) -> Self {
        Self {
            method,
            path: path.into(),
            content_type,
            body,
            limit: LIMIT,
        }
    }

    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, "application/json", Vec::new())
    }

    pub(super) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path, "application/json", Vec::new())
    }

    pub(super) fn post(path: impl Into<String>, body: &Value) -> Self {
        Self::new(Method::POST, path, "application/json", bytes(body))
    }

    /// A JSON merge patch: the named fields are replaced, `null` removes one.
    pub(super) fn merge(path: impl Into<String>, body: &Value) -> Self {
        Self::new(Method::PATCH, path, "application/merge-patch+json", bytes(body))
    }

    /// A server-side apply; the query must name the field manager.
    pub(super) fn apply(path: impl Into<String>, body: &Value) -> Self {
        // JSON is YAML, which is what this content type asks for.
        Self::new(Method::PATCH, path, "application/apply-patch+yaml", bytes(body))
    }

    /// Whether asking twice has the same effect as asking once.
    pub(super) fn repeatable(&self) -> bool {
        self.method != Method::POST
    }

    /// The method and the path without its query, for messages.
    pub(super) fn title(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{} {path}", self.method)
    }

    pub(super) fn request(&self) -> Result<Request<Vec<u8>>, ApiError> {
        Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .header(http::header::CONTENT_TYPE, self.content_type)
            .header(http::header::ACCEPT, "application/json, */*")
            .body(self.body.clone())
            .map_err(|e| ApiError::NotAnObject(format!("{:?} makes no valid path: {e}", self.path)))
    }
}

fn bytes(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
}
