//! The server that a failed pull was about: the registry, or one of its mirrors. And whether it takes the node's login.

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::uri::Authority;
use http::{HeaderValue, Request, Uri};

use super::VerifiedCluster;
use crate::cluster_api::https;
use crate::model::Registry;
use crate::transport::{HttpResponse, HttpServer, Transport};

/// Longest time that one answer may take.
const LIMIT: Duration = Duration::from_secs(20);

/// A registry, or a mirror of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PullServer<'a> {
    name: String,
    registry: &'a str,
}

impl<'a> PullServer<'a> {
    /// The server that containerd's words are about: the mirror that they name, and otherwise the registry.
    pub(super) fn from_output(said: &str, registry: &'a Registry) -> Self {
        let named = first_url(said);
        let mirrors = registry.mirrors.iter().map(|url| authority(url));
        let is_mirror = named.is_some() && mirrors.into_iter().any(|mirror| mirror == named);
        let mirror = named.filter(|_| is_mirror);
        Self {
            name: mirror.map_or_else(|| registry.name.clone(), |mirror| mirror.to_string()),
            registry: &registry.name,
        }
    }

    /// Its name, as in image names.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its name, and whose mirror it is.
    pub(super) fn title(&self) -> String {
        if self.name == *self.registry {
            self.name.clone()
        } else {
            format!("{} (a mirror of {})", self.name, self.registry)
        }
    }

    /// Whether it takes the login that the node has for it. It is asked from the node, as the node asks; where that can't be found out, not.
    pub(super) async fn takes_login(&self, site: &VerifiedCluster, host: &str) -> bool {
        let script = format!("cat '/etc/containerd/certs.d/{}/hosts.toml'\n", self.registry);
        let Ok(file) = site.exec(host, script, LIMIT).await else {
            return false;
        };
        let file = String::from_utf8_lossy(&file.stdout).into_owned();
        let (Some(login), Ok(host)) = (login(&file, &self.name), site.host(host).await) else {
            return false;
        };
        let entry = self.entry(&site.cluster.registries);
        match entry.and_then(|entry| self.http(&host, entry)) {
            Some(http) => accepted(&http, &login).await,
            None => false,
        }
    }

    /// Where its CA stands: at its own entry, where it has one, as for the node.
    fn entry<'b>(&self, registries: &'b [Registry]) -> Option<&'b Registry> {
        let named = |name: &str| registries.iter().find(|entry| entry.name == name);
        named(&self.name).or_else(|| named(self.registry))
    }

    fn http(&self, host: &Arc<dyn Transport>, entry: &Registry) -> Option<HttpServer> {
        https(host, &self.name, entry.ca.as_deref(), entry.insecure).ok()
    }
}

/// The server of the first address in a text.
fn first_url(text: &str) -> Option<Authority> {
    let at = text.find("https://").or_else(|| text.find("http://"))?;
    authority(text[at..].split([' ', '"']).next()?)
}

fn authority(url: &str) -> Option<Authority> {
    url.parse::<Uri>().ok()?.into_parts().authority
}

/// The header with which the node logs in to `server`, from the `hosts.toml` that this program has written.
fn login(file: &str, server: &str) -> Option<HeaderValue> {
    let mut lines = file.lines();
    lines.find(|line| {
        let url = line
            .strip_prefix("[host.\"")
            .and_then(|rest| rest.strip_suffix("\".header]"));
        url.and_then(authority).is_some_and(|found| found == server)
    })?;
    let value = lines.next()?.trim().strip_prefix("Authorization = ")?;
    let value: String = serde_json::from_str(value).ok()?;
    let mut header = HeaderValue::from_str(&value).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// Whether the registry takes a login for itself, or its token service does, where it is the registry's own.
async fn accepted(http: &HttpServer, login: &HeaderValue) -> bool {
    let Some(answer) = get(http, "/v2/", login).await else {
        return false;
    };
    match answer.status {
        200 => true,
        401 => match token_path(&answer, http.base()) {
            Some(path) => get(http, &path, login)
                .await
                .is_some_and(|answer| answer.status == 200),
            None => false,
        },
        _ => false,
    }
}

/// Path and query of the token service, where the registry names one on itself.
fn token_path(answer: &HttpResponse, base: &str) -> Option<String> {
    let challenge = answer.headers.get(WWW_AUTHENTICATE)?.to_str().ok()?;
    let parameters = challenge.strip_prefix("Bearer ")?;
    let of = |name: &str| {
        let (_, rest) = parameters.split_once(&format!("{name}=\""))?;
        Some(rest.split('"').next().unwrap_or_default())
    };
    let path = of("realm")?
        .strip_prefix(base)
        .filter(|path| path.starts_with('/'))?;
    Some(format!("{path}?service={}", of("service").unwrap_or_default()))
}

async fn get(http: &HttpServer, path: &str, login: &HeaderValue) -> Option<HttpResponse> {
    let request = Request::get(path).header(AUTHORIZATION, login);
    http.send(request.body(String::new()).ok()?, LIMIT).await.ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use http::HeaderMap;

    use super::*;

    fn docker_io() -> Registry {
        Registry {
            name: "docker.io".to_owned(),
            mirrors: vec!["https://harbor.example:8443/v2/hub".to_owned()],
            sources: vec!["harbor.example:8443/hub".to_owned()],
            plain: false,
            ca: None,
            insecure: false,
            credentials: None,
            image: None,
            harbor: None,
        }
    }

    #[test]
    fn the_server_is_the_one_that_containerd_names() {
        let registry = docker_io();
        let title = |said: &str| PullServer::from_output(said, &registry).title();
        assert_eq!(
            title(
                "unexpected status from HEAD request to https://harbor.example:8443/v2/hub/a/manifests/1?ns=docker.io: 401 Unauthorized"
            ),
            "harbor.example:8443 (a mirror of docker.io)"
        );
        assert_eq!(
            title("failed to do request: Head \"https://harbor.example:8443/v2/hub/a\": EOF"),
            "harbor.example:8443 (a mirror of docker.io)"
        );
        for other in [
            "Head \"https://registry-1.docker.io/v2/a\": EOF",
            "no address",
            "https://harbor.example:84/v2/",
        ] {
            assert_eq!(title(other), "docker.io", "{other}");
        }
    }

    #[test]
    fn a_mirror_is_known_by_its_own_entry_wherever_that_stands() {
        let harbor = Registry {
            name: "harbor.example:8443".to_owned(),
            mirrors: Vec::new(),
            ..docker_io()
        };
        let registries = [docker_io(), harbor];
        let mirror = PullServer::from_output("https://harbor.example:8443/v2/hub", &registries[0]);
        let entry = |registries: &[Registry]| mirror.entry(registries).map(|entry| entry.name.clone());
        assert_eq!(entry(&registries).as_deref(), Some("harbor.example:8443"));
        assert_eq!(entry(&registries[..1]).as_deref(), Some("docker.io"));
    }

    #[test]
    fn a_login_is_that_of_the_server_alone() {
        let file = "server = \"https://registry-1.docker.io\"\n\n[host.\"https://harbor.example:8443/v2/hub\"]\n  override_path = true\n\n\
                    [host.\"https://harbor.example:8443/v2/hub\".header]\n  Authorization = \"Basic YTpi\"\n\n[host.\"https://registry-1.docker.io\"]\n";
        let found = login(file, "harbor.example:8443").unwrap();
        assert_eq!(
            (found.to_str().unwrap(), found.is_sensitive()),
            ("Basic YTpi", true)
        );
        assert_eq!(login(file, "registry-1.docker.io"), None);
        assert_eq!(login("", "harbor.example"), None);
    }

    #[test]
    fn a_login_is_sent_to_no_token_service_elsewhere() {
        let path = |challenge: &'static str| {
            let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))]);
            let answer = HttpResponse {
                status: 401,
                headers,
                body: String::new(),
            };
            token_path(&answer, "https://r.example")
        };
        assert_eq!(
            path("Bearer realm=\"https://r.example/token\",service=\"a b\""),
            Some("/token?service=a b".to_owned())
        );
        assert_eq!(
            path("Bearer realm=\"https://r.example.evil/token\",service=\"r\""),
            None
        );
        assert_eq!(path("Basic realm=\"harbor\""), None);
    }
}
