//! Requests to Harbor: login, pages, and what an answer's status means.

use std::fmt;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::HarborError;
use crate::transport::{HttpResponse, HttpServer, basic_auth};

/// Longest time that one answer may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How long a user of Harbor may be locked after a failed login, and a little more.
const LOCKED: Duration = Duration::from_secs(2);
/// Most things that Harbor puts on one page.
const PAGE: usize = 100;

/// One Harbor, and an administrator of it.
pub struct HarborClient {
    http: HttpServer,
    user: String,
    authorization: HeaderValue,
}

impl fmt::Debug for HarborClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harbor")
            .field("url", &self.http.base())
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// The form of Harbor's refusals.
#[derive(Deserialize)]
struct HarborRefusal {
    errors: Vec<HarborComplaint>,
}

#[derive(Deserialize)]
struct HarborComplaint {
    message: String,
}

impl HarborClient {
    /// Asks nothing yet.
    pub fn new(http: HttpServer, user: &str, password: &SecretString) -> Self {
        Self {
            http,
            user: user.to_owned(),
            authorization: basic_auth(user, password),
        }
    }

    /// Whether the registry itself takes this login, as it would from a node.
    pub async fn accepts(&self, user: &str, password: &SecretString) -> Result<bool, HarborError> {
        let path = "/v2/";
        let answer = self
            .send(&Method::GET, path, basic_auth(user, password), None)
            .await?;
        match answer.status {
            401 => Ok(false),
            _ => self.judged(&Method::GET, path, answer).map(|_| true),
        }
    }

    /// Fails when the administrator's own login is wrong. Some lists of Harbor would be empty then, and nothing be said.
    pub(super) async fn log_in(&self) -> Result<(), HarborError> {
        match self.greet().await {
            // After somebody's failed login Harbor refuses the right password too, for as long as 1.5 seconds.
            Err(HarborError::Login { .. }) => {
                tokio::time::sleep(LOCKED).await;
                self.greet().await
            }
            answer => answer,
        }
    }

    async fn greet(&self) -> Result<(), HarborError> {
        let path = "/v2/";
        let answer = self
            .send(&Method::GET, path, self.authorization.clone(), None)
            .await?;
        self.judged(&Method::GET, path, answer).map(drop)
    }

    /// Everything of a list that may have several pages.
    pub(super) async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, HarborError> {
        let mut all = Vec::new();
        for page in 1.. {
            let path = format!("{path}&page={page}&page_size={PAGE}");
            let answer = self
                .send(&Method::GET, &path, self.authorization.clone(), None)
                .await?;
            if answer.status == 404 {
                return Err(HarborError::NotHarbor {
                    url: self.http.base().to_owned(),
                    call: title(&Method::GET, &path),
                    status: answer.status,
                });
            }
            let answer = self.judged(&Method::GET, &path, answer)?;
            // An empty list is `null` where Go wrote it.
            let found: Option<Vec<T>> = self.parse(&Method::GET, &path, &answer)?;
            let found = found.unwrap_or_default();
            let last = found.len() < PAGE;
            all.extend(found);
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// A request that changes something.
    pub(super) async fn change(
        &self,
        method: &Method,
        path: &str,
        body: &Value,
    ) -> Result<HttpResponse, HarborError> {
        let answer = self
            .send(method, path, self.authorization.clone(), Some(body))
            .await?;
        self.judged(method, path, answer)
    }

    pub(super) fn parse<T: DeserializeOwned>(
        &self,
        method: &Method,
        path: &str,
        answer: &HttpResponse,
    ) -> Result<T, HarborError> {
        serde_json::from_str(&answer.body).map_err(|error| self.not_understood(method, path, &error))
    }

    async fn send(
        &self,
        method: &Method,
        path: &str,
        authorization: HeaderValue,
        body: Option<&Value>,
    ) -> Result<HttpResponse, HarborError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, authorization);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(body.map(Value::to_string).unwrap_or_default())
            .map_err(|error| self.not_understood(method, path, &error))?;
        let answer = self.http.send(request, LIMIT).await;
        answer.map_err(|source| HarborError::Unreachable {
            url: self.http.base().to_owned(),
            source,
        })
    }

    /// What the status says.
    fn judged(&self, method: &Method, path: &str, answer: HttpResponse) -> Result<HttpResponse, HarborError> {
        let (url, user) = (self.http.base().to_owned(), self.user.clone());
        let call = title(method, path);
        match answer.status {
            200..=299 => Ok(answer),
            401 => Err(HarborError::Login { url, user }),
            403 if message(&answer.body).contains("read only") => Err(HarborError::ReadOnly { url, call }),
            403 => Err(HarborError::Forbidden {
                url,
                user,
                call,
                message: message(&answer.body),
            }),
            status => Err(HarborError::Refused {
                url,
                call,
                status,
                message: message(&answer.body),
            }),
        }
    }

    fn not_understood(&self, method: &Method, path: &str, reason: &impl ToString) -> HarborError {
        HarborError::NotUnderstood {
            url: self.http.base().to_owned(),
            call: title(method, path),
            reason: reason.to_string(),
        }
    }
}

/// Method and path without its query.
fn title(method: &Method, path: &str) -> String {
    format!("{method} {}", path.split('?').next().unwrap_or_default())
}

/// Harbor's own words, or the title or first line of whatever stands before it.
fn message(body: &str) -> String {
    match serde_json::from_str::<HarborRefusal>(body) {
        Ok(refusal) => {
            let messages: Vec<_> = refusal.errors.into_iter().map(|error| error.message).collect();
            messages.join("; ")
        }
        Err(_) => match body.split_once("<title>") {
            Some((_, title)) => title.split('<').next().unwrap_or_default().trim().to_owned(),
            None => body.lines().next().unwrap_or_default().trim().to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_in_harbors_form_and_in_a_proxys() {
        let body = r#"{"errors":[{"code":"CONFLICT","message":"The project named ci already exists"}]}"#;
        assert_eq!(message(body), "The project named ci already exists");
        assert_eq!(message("bad gateway\r\n<html>"), "bad gateway");
        let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>";
        assert_eq!(message(page), "502 Bad Gateway");
        assert_eq!(message(""), "");
    }
}
