//! Whether an image is still in its registry.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION};
use http::{Method, Request};
use secrecy::SecretString;

use crate::transport::{HttpServer, basic_auth};

/// Longest time that the answer may take.
const LIMIT: Duration = Duration::from_secs(20);
/// Kinds of manifests. A registry says of one that the client does not take that it is not there.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
                         application/vnd.docker.distribution.manifest.v2+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json";

/// An image by its tag, in a registry that takes a login with every request, as Harbor does.
#[derive(Debug, Clone)]
pub struct TaggedImage {
    /// Its name within the registry.
    pub repository: String,
    /// Its tag.
    pub tag: String,
}

impl TaggedImage {
    /// `registry/repository:tag` in its parts: the registry, and the image in it.
    pub fn of(name: &str) -> Option<(&str, Self)> {
        let (registry, rest) = name.split_once('/')?;
        let (repository, tag) = rest.rsplit_once(':')?;
        let image = Self {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
        };
        Some((registry, image))
    }

    /// Whether the registry says that it has no such image. Any other answer, and none, leaves that open.
    pub async fn is_gone(&self, registry: &HttpServer, login: Option<(&str, &SecretString)>) -> bool {
        let path = format!("/v2/{}/manifests/{}", self.repository, self.tag);
        let mut request = Request::builder()
            .method(Method::HEAD)
            .uri(path)
            .header(ACCEPT, MANIFESTS);
        if let Some((user, password)) = login {
            request = request.header(AUTHORIZATION, basic_auth(user, password));
        }
        let Ok(request) = request.body(String::new()) else {
            return false;
        };
        let answer = registry.send(request, LIMIT).await;
        answer.is_ok_and(|answer| answer.status == 404)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::TaggedImage;
    use crate::transport::HttpClient;
    use crate::transport::direct::Direct;

    /// Answers one request with this status, and gives the request.
    async fn serve(listener: TcpListener, status: &str) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(request).unwrap()
    }

    #[tokio::test]
    async fn an_image_is_gone_when_its_registry_says_so_and_not_before() {
        let (_, image) = TaggedImage::of("a.example/ci/agent:1.0").unwrap();
        for (status, gone) in [
            ("404 Not Found", true),
            ("200 OK", false),
            ("401 Unauthorized", false),
            ("502 Bad Gateway", false),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let registry = HttpClient::new(Arc::new(Direct)).at("127.0.0.1", port);
            let password = "secret".into();
            let login = Some(("ci", &password));
            let (request, found) = tokio::join!(serve(listener, status), image.is_gone(&registry, login));
            assert_eq!(found, gone, "{status}");
            assert!(
                request.starts_with("HEAD /v2/ci/agent/manifests/1.0 ")
                    && request.contains("Basic Y2k6c2VjcmV0"),
                "{request}"
            );
        }
    }

    #[test]
    fn the_colon_of_a_port_is_no_tag() {
        let parts = TaggedImage::of("a.example:5000/ci/agent:1.0")
            .map(|(registry, image)| (registry.to_owned(), image.repository, image.tag));
        let expected = ["a.example:5000", "ci/agent", "1.0"].map(str::to_owned);
        assert_eq!(parts, Some(expected.into()));
    }
}
