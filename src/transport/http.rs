//! HTTP through a host, to addresses that only hosts of the cluster reach.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper_util::client::legacy::connect::Connect;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::TokioExecutor;

use super::{Connector, Transport, TransportError};

/// Longest answer that is read; a build's log may be long, and memory is not.
const LONGEST: usize = 16 << 20;

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HttpError {
    /// The host that carries the traffic can't be talked to, or nothing listens behind it.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// There is no TLS with the server.
    #[error("{reason}")]
    Tls {
        /// What is wrong.
        fault: TlsFault,
        /// In the words of the library.
        reason: String,
    },
    /// The connection broke, or what came is no HTTP.
    #[error("{0}")]
    Broken(String),
}

/// What is wrong with a server's TLS, as far as it makes a difference to who fixes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFault {
    /// Its certificate is signed by nobody who is trusted.
    UnknownIssuer,
    /// Its certificate has expired or is not yet valid.
    Expired,
    /// Its certificate is for other names.
    OtherName,
    /// It speaks HTTP without TLS, or something else.
    NoTls,
    /// Something else.
    Other,
}

impl From<&rustls::Error> for TlsFault {
    fn from(error: &rustls::Error) -> Self {
        use rustls::{CertificateError, Error, InvalidMessage};
        match error {
            Error::InvalidCertificate(CertificateError::UnknownIssuer) => Self::UnknownIssuer,
            Error::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            ) => Self::Expired,
            Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => Self::OtherName,
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::NoTls,
            _ => Self::Other,
        }
    }
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as text.
    pub body: String,
}

/// Sends a request with its full URL and reads the answer.
type Exchange = dyn Fn(Request<String>) -> BoxFuture<'static, Result<HttpResponse, HttpError>> + Send + Sync;

/// Connections through one host, kept open for the next request. Clones share them.
#[derive(Clone)]
pub struct HttpClient(Arc<Exchange>);

impl HttpClient {
    /// A client without connections yet, and without TLS.
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self::over(Connector::new(transport))
    }

    /// The same with connections of another kind, such as those with TLS.
    pub(crate) fn over(connector: impl Connect + Clone + Send + Sync + 'static) -> Self {
        let client = Client::builder(TokioExecutor::new()).build::<_, String>(connector);
        Self(Arc::new(move |request| Box::pin(read(client.request(request)))))
    }

    /// The server with this URL, which has no path.
    pub(crate) fn site(&self, base: String) -> HttpServer {
        HttpServer {
            client: self.clone(),
            base,
        }
    }

    /// The server at `address:port`, as seen from the host.
    pub fn at(&self, address: &str, port: u16) -> HttpServer {
        // An IPv6 literal stands in brackets in a URL, and nowhere else.
        let base = if address.contains(':') {
            format!("http://[{address}]:{port}")
        } else {
            format!("http://{address}:{port}")
        };
        self.site(base)
    }
}

/// One server that is reached through a host.
#[derive(Clone)]
pub struct HttpServer {
    client: HttpClient,
    base: String,
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

impl HttpServer {
    /// URL of the server as its host sees it, without a slash at its end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request, whose URI is path and query, and reads the whole answer within `limit`.
    pub async fn send(
        &self,
        mut request: Request<String>,
        limit: Duration,
    ) -> Result<HttpResponse, HttpError> {
        let uri = format!("{}{}", self.base, request.uri());
        *request.uri_mut() = uri
            .parse::<Uri>()
            .map_err(|error| HttpError::Broken(format!("{uri} is not a URL: {error}")))?;
        tokio::time::timeout(limit, (self.client.0)(request))
            .await
            .unwrap_or(Err(HttpError::Timeout(limit)))
    }
}

async fn read(answer: ResponseFuture) -> Result<HttpResponse, HttpError> {
    let (head, body) = answer.await.map_err(|error| cause(&error))?.into_parts();
    let body = Limited::new(body, LONGEST).collect().await;
    let body = body.map_err(|error| cause(&*error))?.to_bytes();
    Ok(HttpResponse {
        status: head.status.as_u16(),
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// The transport's own error where there is one; else the innermost cause, since the outer ones only say that it failed.
fn cause(error: &(dyn StdError + 'static)) -> HttpError {
    if let Some(transport) = error.downcast_ref::<TransportError>() {
        return HttpError::Transport(transport.clone());
    }
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return HttpError::Tls {
            fault: tls.into(),
            reason: tls.to_string(),
        };
    }
    // An error of I/O names as its source what its content names, and not the content.
    if let Some(content) = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
    {
        return cause(content);
    }
    match error.source() {
        Some(source) => cause(source),
        None => HttpError::Broken(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError;

    use super::*;

    #[test]
    fn faults_of_tls_are_known_by_their_kind() {
        for (error, fault) in [
            (
                rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer),
                TlsFault::UnknownIssuer,
            ),
            (
                rustls::Error::InvalidCertificate(CertificateError::Expired),
                TlsFault::Expired,
            ),
            (
                rustls::Error::InvalidCertificate(CertificateError::NotValidForName),
                TlsFault::OtherName,
            ),
            (
                rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType),
                TlsFault::NoTls,
            ),
            (rustls::Error::DecryptError, TlsFault::Other),
        ] {
            let nested = std::io::Error::other(std::io::Error::other(error));
            let HttpError::Tls { fault: found, .. } = cause(&nested) else {
                unreachable!("{nested}")
            };
            assert_eq!(found, fault);
        }
    }
}
