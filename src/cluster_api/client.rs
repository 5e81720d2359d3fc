//! The connection to one cluster's API server, through SSH.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::io::AsyncBufReadExt as _;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt as _, retry::RetryPolicy};
use serde_json::Value;
use tower::retry::RetryLayer;
use tower::{BoxError, ServiceBuilder};

use super::call::ApiCall;

use super::error::ApiError;
use super::kinds::KindCache;
use super::kubeconfig::Kubeconfig;
use crate::transport::{Connector, HttpClient, HttpServer, Transport};

/// The API server of one cluster. Clones share connections and the cache of kinds.
#[derive(Clone)]
pub struct Api {
    client: kube::Client,
    server: Arc<str>,
    version: Arc<str>,
    services: HttpClient,
    host: Arc<dyn Transport>,
    pub(super) kinds: Arc<KindCache>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Api {
    /// Connects through `transport`'s host to the server that `kubeconfig` names, and asks its version.
    pub async fn connect(transport: Arc<dyn Transport>, kubeconfig: &Kubeconfig) -> Result<Self, ApiError> {
        Self::with(transport, &kubeconfig.config()).await
    }

    pub(super) async fn with(transport: Arc<dyn Transport>, config: &kube::Config) -> Result<Self, ApiError> {
        let server: Arc<str> = config.cluster_url.to_string().trim_end_matches('/').into();
        let mut api = Self {
            client: client(config, Arc::clone(&transport)).map_err(|e| ApiError::from_kube(&e, &server))?,
            server,
            version: "".into(),
            services: HttpClient::new(Arc::clone(&transport)),
            host: transport,
            kinds: Arc::default(),
        };
        let version = api.json(ApiCall::get("/version")).await?;
        api.version = version["gitVersion"].as_str().unwrap_or("unknown").into();
        Ok(api)
    }

    /// The host that carries the API server's traffic: it reaches what the cluster's hosts reach.
    pub fn host(&self) -> &Arc<dyn Transport> {
        &self.host
    }

    /// URL of the API server, as the kubeconfig has it.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Version of the API server, such as `v1.36.4`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// HTTP to port `port` (its name) of a Service, from the host that carries the API server's traffic: that host is a
    /// node and reaches the Service's address. The API server's own proxy would do as well, were it not that it keeps the
    /// `Authorization` header for itself.
    pub async fn service(&self, namespace: &str, name: &str, port: &str) -> Result<HttpServer, ApiError> {
        let path = format!("/api/v1/namespaces/{namespace}/services/{name}");
        let live = self.json(ApiCall::get(path)).await?;
        let ports = live["spec"]["ports"].as_array().into_iter().flatten();
        let number = ports
            .filter(|found| found["name"] == port)
            .find_map(|found| u16::try_from(found["port"].as_u64()?).ok());
        let address = live["spec"]["clusterIP"]
            .as_str()
            .filter(|address| *address != "None");
        match (address, number) {
            (Some(address), Some(number)) => Ok(self.services.at(address, number)),
            _ => Err(ApiError::NoAddress {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                port: port.to_owned(),
            }),
        }
    }

    pub(super) fn kube(&self) -> kube::Client {
        self.client.clone()
    }

    /// Sends a request and gives the answer's text.
    pub(super) async fn text(&self, call: ApiCall) -> Result<String, ApiError> {
        let first = self.once(&call).await;
        match first {
            // A pooled connection may have been closed under us, and says so only when used: a new one
            // answers, or tells that the host is gone.
            Err(ApiError::Broken { .. }) if call.repeatable() => self.once(&call).await,
            answer => answer,
        }
    }

    /// Sends a request and parses the answer.
    pub(super) async fn json(&self, call: ApiCall) -> Result<Value, ApiError> {
        let title = call.title();
        let text = self.text(call).await?;
        serde_json::from_str(&text).map_err(|e| ApiError::Broken {
            server: self.server.to_string(),
            reason: format!("the answer to {title} is not JSON: {e}"),
        })
    }

    /// Like [`Api::json`], with `None` for what does not exist.
    pub(super) async fn json_opt(&self, call: ApiCall) -> Result<Option<Value>, ApiError> {
        match self.json(call).await {
            Ok(value) => Ok(Some(value)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e),
        }
    }

    async fn once(&self, call: &ApiCall) -> Result<String, ApiError> {
        let answer = self.client.request_text(call.request()?);
        self.limited(call, answer).await
    }

    /// Runs a kube future with the call's time-out and our errors.
    pub(super) async fn limited<T>(
        &self,
        call: &ApiCall,
        answer: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, ApiError> {
        match tokio::time::timeout(call.limit, answer).await {
            Ok(answer) => answer.map_err(|e| ApiError::from_kube(&e, &self.server)),
            Err(_) => Err(ApiError::Timeout {
                server: self.server.to_string(),
                request: call.title(),
                limit: call.limit,
            }),
        }
    }

    /// Returns when something happens in the watch at `path`, or after `within`; what happened is for the caller to look up.
    /// A watch that can't be had costs the whole time and is no error: the caller looks again anyway.
    pub(super) async fn await_event(&self, path: &str, within: Duration) {
        let watch = async {
            let Ok(request) = ApiCall::get(path).request() else {
                return;
            };
            let Ok(stream) = self.client.request_stream(request).await else {
                return;
            };
            let mut line = String::new();
            if matches!(std::pin::pin!(stream).read_line(&mut line).await, Ok(n) if n > 0) {
                return;
            }
            std::future::pending::<()>().await;
        };
        // An error ends the watch early; a short rest keeps that from becoming a busy loop.
        let watch = async {
            let rest = Duration::from_millis(200);
            tokio::join!(watch, tokio::time::sleep(rest.min(within)));
        };
        let _ = tokio::time::timeout(within, watch).await;
    }
}

fn client(config: &kube::Config, transport: Arc<dyn Transport>) -> Result<kube::Client, kube::Error> {
    let https = config.rustls_https_connector_with_connector(Connector::new(transport))?;
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(https);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(RetryLayer::new(RetryPolicy::server_retry()))
        .map_err(BoxError::from)
        .service(http);
    Ok(ClientBuilder::new(service, config.default_namespace.clone()).build())
}
