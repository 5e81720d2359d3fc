//! Which kinds the API server serves, asked once and again when one is missing.

use std::sync::Arc;

use kube::core::{GroupVersionKind, discovery::Scope};
use kube::discovery::Discovery;
use tokio::sync::Mutex;

use super::call::ApiCall;
use super::client::Api;
use super::error::ApiError;
use super::object::ObjectId;

/// Cache of the server's discovery documents.
#[derive(Default)]
pub(super) struct KindCache {
    known: Mutex<Option<Arc<Discovery>>>,
}

impl Api {
    /// The URL path of each object, `None` where the server does not serve its kind (yet).
    pub(super) async fn paths(&self, ids: &[ObjectId]) -> Result<Vec<Option<String>>, ApiError> {
        let mut known = self.kinds.known.lock().await;
        let cached = known.clone();
        if let Some(discovery) = &cached {
            let paths = paths(discovery, ids);
            if paths.iter().all(Option::is_some) {
                return Ok(paths);
            }
        }
        let discovery = Arc::new(self.discover().await?);
        *known = Some(Arc::clone(&discovery));
        Ok(paths(&discovery, ids))
    }

    /// The URL path of one object.
    pub(super) async fn path(&self, id: &ObjectId) -> Result<String, ApiError> {
        let paths = self.paths(std::slice::from_ref(id)).await?;
        paths
            .into_iter()
            .next()
            .flatten()
            .ok_or_else(|| ApiError::UnknownKind {
                api_version: id.api_version.clone(),
                kind: id.kind.clone(),
            })
    }

    async fn discover(&self) -> Result<Discovery, ApiError> {
        let discovery = Discovery::new(self.kube()).run_aggregated();
        self.limited(&ApiCall::get("/apis"), discovery).await
    }
}

fn paths(discovery: &Discovery, ids: &[ObjectId]) -> Vec<Option<String>> {
    ids.iter().map(|id| path(discovery, id)).collect()
}

fn path(discovery: &Discovery, id: &ObjectId) -> Option<String> {
    let (group, version) = id.api_version.split_once('/').unwrap_or(("", &id.api_version));
    let kind = GroupVersionKind::gvk(group, version, &id.kind);
    let (resource, capabilities) = discovery.resolve_gvk(&kind)?;
    let root = if group.is_empty() { "/api" } else { "/apis" };
    let namespace = match capabilities.scope {
        Scope::Cluster => String::new(),
        Scope::Namespaced => format!("/namespaces/{}", id.namespace.as_deref().unwrap_or("default")),
    };
    Some(format!(
        "{root}/{}{namespace}/{}/{}",
        id.api_version, resource.plural, id.name
    ))
}
