//! Requests to Jenkins: login, session, crumb, and what an answer's status means.

use std::fmt;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use http::{Method, Request};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::error::JenkinsError;
use super::{boot, page};
use crate::transport::{HttpError, HttpResponse, HttpServer, basic_auth};

/// Longest time that one answer may take. A reload with many plugins takes seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// One controller, and a user of it.
pub struct JenkinsClient {
    http: HttpServer,
    user: String,
    authorization: HeaderValue,
    session: Mutex<JenkinsSession>,
}

/// What Jenkins gave us to come back with. A crumb is only good together with the session that it was given to.
#[derive(Default)]
struct JenkinsSession {
    cookie: Option<HeaderValue>,
    crumb: Option<Crumb>,
}

/// Proof that a POST is the user's own.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Crumb {
    crumb: String,
    crumb_request_field: String,
}

/// The body of a POST.
pub(super) enum PostBody {
    Nothing,
    Xml(String),
    Yaml(String),
}

impl fmt::Debug for JenkinsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jenkins")
            .field("url", &self.http.base())
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl JenkinsClient {
    /// Asks nothing yet. `password` may be an API token as well.
    pub fn new(http: HttpServer, user: &str, password: &SecretString) -> Self {
        Self {
            http,
            user: user.to_owned(),
            authorization: basic_auth(user, password),
            session: Mutex::default(),
        }
    }

    /// A GET whose answer is JSON.
    pub(super) async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, JenkinsError> {
        parse(path, &self.get(path).await?)
    }

    /// A GET whose path may lead to nothing.
    pub(super) async fn find(&self, path: &str) -> Result<Option<HttpResponse>, JenkinsError> {
        match self.get(path).await {
            Ok(answer) => Ok(Some(answer)),
            Err(JenkinsError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A GET. Asked once more when a connection broke: Jenkins closes idle ones, and says so only when they are used.
    pub(super) async fn get(&self, path: &str) -> Result<HttpResponse, JenkinsError> {
        let first = self.request(&Method::GET, path, None, PostBody::Nothing).await;
        let answer = match first {
            Err(JenkinsError::Unreachable {
                source: HttpError::Broken(_),
                ..
            }) => self.request(&Method::GET, path, None, PostBody::Nothing).await,
            answer => answer,
        };
        self.judged(&Method::GET, path, answer?)
    }

    /// A POST with the crumb that Jenkins wants; a redirection counts as done.
    pub(super) async fn post(&self, path: &str, body: PostBody) -> Result<HttpResponse, JenkinsError> {
        let answer = self.answer_to_post(path, body).await?;
        self.judged(&Method::POST, path, answer)
    }

    /// A POST with the crumb, with whatever Jenkins answered.
    pub(super) async fn answer_to_post(
        &self,
        path: &str,
        body: PostBody,
    ) -> Result<HttpResponse, JenkinsError> {
        let crumb = self.crumb().await?;
        self.request(&Method::POST, path, crumb.as_ref(), body).await
    }

    /// A POST that Jenkins takes without a login, because the path itself proves who asks. The query is in no message.
    pub(super) async fn post_as_nobody(&self, path: &str) -> Result<HttpResponse, JenkinsError> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .body(String::new());
        self.send(request.map_err(|error| not_a_request(&error))?).await
    }

    /// The crumb of this session, `None` where the protection is off.
    async fn crumb(&self) -> Result<Option<Crumb>, JenkinsError> {
        if let Some(crumb) = &self.session.lock().await.crumb {
            return Ok(Some(crumb.clone()));
        }
        let path = "/crumbIssuer/api/json";
        let Some(answer) = self.find(path).await? else {
            return Ok(None);
        };
        let crumb: Crumb = parse(path, &answer)?;
        self.session.lock().await.crumb = Some(crumb.clone());
        Ok(Some(crumb))
    }

    async fn request(
        &self,
        method: &Method,
        path: &str,
        crumb: Option<&Crumb>,
        body: PostBody,
    ) -> Result<HttpResponse, JenkinsError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, self.authorization.clone());
        if let Some(cookie) = &self.session.lock().await.cookie {
            request = request.header(COOKIE, cookie.clone());
        }
        if let Some(crumb) = crumb {
            request = request.header(&crumb.crumb_request_field, &crumb.crumb);
        }
        let (content_type, body) = match body {
            PostBody::Nothing => (None, String::new()),
            PostBody::Xml(text) => (Some("application/xml; charset=utf-8"), text),
            PostBody::Yaml(text) => (Some("application/yaml"), text),
        };
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let answer = self
            .send(request.body(body).map_err(|error| not_a_request(&error))?)
            .await?;
        if let Some(cookie) = session_cookie(&answer.headers) {
            self.session.lock().await.cookie = Some(cookie);
        }
        Ok(answer)
    }

    async fn send(&self, request: Request<String>) -> Result<HttpResponse, JenkinsError> {
        self.http
            .send(request, LIMIT)
            .await
            .map_err(|source| JenkinsError::Unreachable {
                url: self.http.base().to_owned(),
                source,
            })
    }

    /// What the status says.
    pub(super) fn judged(
        &self,
        method: &Method,
        path: &str,
        answer: HttpResponse,
    ) -> Result<HttpResponse, JenkinsError> {
        let call = title(method, path);
        match answer.status {
            200..=399 => Ok(answer),
            401 => Err(JenkinsError::Login(self.user.clone())),
            403 => Err(JenkinsError::Forbidden {
                call,
                message: message(&answer),
            }),
            503 => Err(not_up(&answer.body)),
            status => Err(JenkinsError::Refused {
                call,
                status,
                message: message(&answer),
            }),
        }
    }
}

/// What a 503 means: a start under way, or one that has failed.
fn not_up(body: &str) -> JenkinsError {
    match page::preformatted(body).and_then(|trace| boot::cause(&trace)) {
        Some(cause) => JenkinsError::BootFailed(cause),
        None => JenkinsError::Starting,
    }
}

/// Jenkins' own words: a header of its own for them, or those of the page.
pub(super) fn message(answer: &HttpResponse) -> String {
    let header = answer
        .headers
        .get("X-Error")
        .and_then(|value| value.to_str().ok());
    header.map_or_else(|| page::words(&answer.body), str::to_owned)
}

pub(super) fn parse<T: DeserializeOwned>(path: &str, answer: &HttpResponse) -> Result<T, JenkinsError> {
    serde_json::from_str(&answer.body).map_err(|error| JenkinsError::NotUnderstood {
        call: title(&Method::GET, path),
        reason: error.to_string(),
    })
}

/// Method and path without its query, which may hold what is not for messages.
pub(super) fn title(method: &Method, path: &str) -> String {
    format!("{method} {}", path.split('?').next().unwrap_or_default())
}

/// The cookie of the session, without its attributes.
fn session_cookie(headers: &HeaderMap) -> Option<HeaderValue> {
    let cookies = headers
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let pair = cookies
        .filter(|text| text.starts_with("JSESSIONID"))
        .find_map(|text| text.split(';').next())?;
    let mut value = HeaderValue::from_str(pair).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn not_a_request(error: &http::Error) -> JenkinsError {
    JenkinsError::NotUnderstood {
        call: "a request of our own".to_owned(),
        reason: error.to_string(),
    }
}

/// A name as one part of a URL's path.
pub(super) fn segment(name: &str) -> String {
    name.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_in_no_title() {
        assert_eq!(title(&Method::POST, "/reload/?token=x"), "POST /reload/");
        assert_eq!(segment("my job/ä"), "my%20job%2F%C3%A4");
    }

    #[test]
    fn a_503_is_a_start_or_the_end_of_one() {
        let starting = "<html><body><h1>Jenkins is getting ready to work</h1></body></html>";
        assert!(matches!(not_up(starting), JenkinsError::Starting));
        let failed = "<body><h1>Error</h1><pre>jenkins: no such key</pre></body>";
        assert_eq!(
            not_up(failed).to_string(),
            "Jenkins did not start: jenkins: no such key"
        );
    }
}
