//! HTTP from the machine on which this program runs.

use std::fmt;
use std::time::Duration;

use http::header::{HeaderMap, LOCATION};
use http::{Request, StatusCode, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use kube::client::Body;

use crate::cluster_api::error::{chain, sentence};

const REDIRECTS: usize = 5;
const ATTEMPTS: u32 = 3;
/// Longest time for one attempt, redirects included.
const LIMIT: Duration = Duration::from_secs(60);

/// Why nothing came.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address can't be asked.
    #[error("`{0}` is not an http or https address")]
    Address(String),
    /// No connection, or it broke.
    #[error("{host} cannot be reached{proxy}: {reason}")]
    Unreachable {
        /// Host of the URL that was asked.
        host: String,
        /// ` through the proxy …` if there was one.
        proxy: String,
        /// The chain of causes.
        reason: String,
    },
    /// It took too long.
    #[error("{host} did not deliver within {LIMIT:?}")]
    TooSlow {
        /// Host of the URL that was asked.
        host: String,
    },
    /// The server refused.
    #[error("{host} answered {status}")]
    Refused {
        /// Host of the URL that was asked.
        host: String,
        /// Its status.
        status: StatusCode,
    },
    /// The server sent us around.
    #[error("more than {REDIRECTS} redirects, the last one to {0}")]
    Redirects(String),
}

impl FetchError {
    /// Whether it may work a moment later.
    fn may_heal(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TooSlow { .. } => true,
            Self::Refused { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            _ => false,
        }
    }
}

/// Fetches files. It stands on kube's client, which brings TLS with the system's trusted authorities;
/// an HTTP library beside it would bring another.
pub(super) struct Fetcher {
    proxies: Matcher,
    /// Waited between two attempts, longer each time.
    pause: Duration,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").finish_non_exhaustive()
    }
}

impl Fetcher {
    /// With the proxies of `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case.
    pub(super) fn from_environment() -> Self {
        Self::new(Matcher::from_env(), Duration::from_secs(1))
    }

    pub(super) fn new(proxies: Matcher, pause: Duration) -> Self {
        Self { proxies, pause }
    }

    pub(super) async fn fetch(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        let mut attempt = 1;
        loop {
            match self.attempt(url).await {
                Err(e) if e.may_heal() && attempt < ATTEMPTS => {
                    tokio::time::sleep(self.pause * attempt).await;
                }
                answer => return answer,
            }
            attempt += 1;
        }
    }

    async fn attempt(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        let mut url: Uri = url.parse().map_err(|_| FetchError::Address(url.to_owned()))?;
        for _ in 0..=REDIRECTS {
            let answer = tokio::time::timeout(LIMIT, self.one(&url)).await;
            match answer.map_err(|_| FetchError::TooSlow { host: host(&url) })?? {
                FetchResponse::Content(content) => return Ok(content),
                FetchResponse::Redirect(to) => url = to,
            }
        }
        Err(FetchError::Redirects(url.to_string()))
    }

    async fn one(&self, url: &Uri) -> Result<FetchResponse, FetchError> {
        if !matches!(url.scheme_str(), Some("http" | "https")) || url.host().is_none() {
            return Err(FetchError::Address(url.to_string()));
        }
        let proxy = self.proxies.intercept(url);
        let failed = |e: kube::Error| FetchError::Unreachable {
            host: host(url),
            proxy: proxy
                .as_ref()
                .map_or(String::new(), |p| format!(" through the proxy {}", host(p.uri()))),
            reason: reason(&e),
        };
        let mut config = kube::Config::new(base(url)?);
        config.proxy_url = proxy.as_ref().map(|proxy| proxy.uri().clone());
        // Refusals are counted and waited for here, not below.
        config.default_retry = false;
        let client = kube::Client::try_from(config).map_err(&failed)?;
        let mut request = Request::new(Body::empty());
        // The client puts scheme and host before it.
        *request.uri_mut() = url
            .path_and_query()
            .map_or_else(Uri::default, |path| path.clone().into());
        let answer = client.send(request).await.map_err(&failed)?;
        let status = answer.status();
        if status.is_redirection() {
            return redirect(url, answer.headers()).ok_or_else(|| FetchError::Refused {
                host: host(url),
                status,
            });
        }
        if !status.is_success() {
            return Err(FetchError::Refused {
                host: host(url),
                status,
            });
        }
        let content = answer.into_body().collect_bytes().await.map_err(&failed)?;
        Ok(FetchResponse::Content(content.to_vec()))
    }
}

fn reason(error: &kube::Error) -> String {
    let text = sentence(&chain(error).collect::<Vec<_>>());
    if text.contains("UnknownIssuer") {
        return format!(
            "{text}: this machine does not trust its authority (SSL_CERT_FILE can name a file of others)"
        );
    }
    text
}

enum FetchResponse {
    Content(Vec<u8>),
    Redirect(Uri),
}

/// The URL without its path.
fn base(url: &Uri) -> Result<Uri, FetchError> {
    let builder = Uri::builder().scheme(url.scheme_str().unwrap_or_default());
    let base = builder
        .authority(url.authority().map_or("", http::uri::Authority::as_str))
        .path_and_query("/");
    base.build().map_err(|_| FetchError::Address(url.to_string()))
}

fn host(url: &Uri) -> String {
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    format!("{}{port}", url.host().unwrap_or_default())
}

/// Where the answer sends us; never from TLS to plain text.
fn redirect(from: &Uri, headers: &HeaderMap) -> Option<FetchResponse> {
    let to = headers.get(LOCATION)?.to_str().ok()?;
    let to: Uri = if to.starts_with('/') && !to.starts_with("//") {
        let authority = from.authority()?;
        format!("{}://{authority}{to}", from.scheme_str()?).parse().ok()?
    } else {
        to.parse().ok()?
    };
    let downgrade = from.scheme_str() == Some("https") && to.scheme_str() != Some("https");
    (!downgrade).then_some(FetchResponse::Redirect(to))
}
