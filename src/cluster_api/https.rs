//! HTTPS and HTTP to servers beside the cluster, such as a registry.

use std::sync::Arc;

use kube::client::ConfigExt as _;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::error::ApiError;
use crate::transport::{Connector, HttpClient, HttpServer, Transport};

/// The server `https://name`, asked from this host: a registry may be reached by hosts of the cluster only. Its certificate is
/// checked by the authorities in `ca` (PEM), or else by those that this machine trusts.
///
/// # Errors
/// When the name is none, or the authorities can't be read.
pub fn https(
    host: &Arc<dyn Transport>,
    name: &str,
    ca: Option<&str>,
    insecure: bool,
) -> Result<HttpServer, ApiError> {
    let base = format!("https://{name}");
    let unusable = |reason: String| ApiError::Authority {
        server: name.to_owned(),
        reason,
    };
    let url = base.parse().map_err(|error| unusable(format!("{error}")))?;
    let mut config = kube::Config::new(url);
    config.accept_invalid_certs = insecure;
    config.root_cert = ca.map(certificates).transpose().map_err(unusable)?;
    // kube brings TLS for the API server; a second library for it would be one more to keep up to date.
    let https = config.rustls_https_connector_with_connector(Connector::new(Arc::clone(host)));
    let https = https.map_err(|error| unusable(error.to_string()))?;
    Ok(HttpClient::over(https).site(base))
}

/// The server `http://name`, asked from this host.
pub fn http(host: &Arc<dyn Transport>, name: &str) -> HttpServer {
    HttpClient::new(Arc::clone(host)).site(format!("http://{name}"))
}

fn certificates(pem: &str) -> Result<Vec<Vec<u8>>, String> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|der| der.map(|der| der.to_vec()).map_err(|error| error.to_string()))
        .collect()
}
