//! Registries, time, proxy.

use serde::Serialize;

use super::check::RuleContext;
use super::{Harbor, Host, Networks, code, endpoint, form, harbor, mirror, ssh};
use crate::diagnostic::Diagnostic;
use crate::inventory;
use crate::secret::SecretRef;
use crate::yaml::Spanned;

/// A container registry that needs something special on the hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Registry {
    /// `host` or `host:port`, as in image names.
    pub name: String,
    /// Addresses that are asked first.
    pub mirrors: Vec<String>,
    /// The same as they stand in image names: without scheme, and without the `/v2` of the API.
    pub sources: Vec<String>,
    /// Whether it speaks HTTP without TLS: it is among its own mirrors with `http://`.
    pub plain: bool,
    /// The CA's certificates in PEM form.
    pub ca: Option<String>,
    /// Whether the certificate is not checked.
    pub insecure: bool,
    /// The login for it.
    pub credentials: Option<Login>,
    /// An image in it to try it with.
    pub image: Option<String>,
    /// What is made in it, where it is a Harbor.
    pub harbor: Option<Harbor>,
}

impl Registry {
    /// The secrets that it needs.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        let admin = self.harbor.as_ref().map(|harbor| &harbor.admin);
        let logins = self.credentials.iter().chain(admin);
        logins.map(|login| &login.password)
    }
}

/// A server of images as builds get to know it: a registry, or a mirror without an entry of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageServer {
    /// `host` or `host:port`.
    pub name: String,
    /// Whether its certificate is signed by one of the inventory's authorities.
    pub ca: bool,
    /// Whether its certificate is not checked.
    pub insecure: bool,
    /// Whether it speaks HTTP without TLS.
    pub plain: bool,
}

/// Every server of images that needs something special. What there is to know about a mirror stands at its own entry, where it has one.
pub(super) fn image_servers(registries: &[Registry]) -> Vec<ImageServer> {
    let server = |name: &str, entry: &Registry, plain| ImageServer {
        name: name.to_owned(),
        ca: entry.ca.is_some(),
        insecure: entry.insecure,
        plain,
    };
    let own = registries
        .iter()
        .map(|entry| server(&entry.name, entry, entry.plain));
    let mut servers: Vec<_> = own.collect();
    for entry in registries {
        for url in &entry.mirrors {
            let name = host(url);
            if !servers.iter().any(|known| known.name == name) {
                servers.push(server(name, entry, url.starts_with("http://")));
            }
        }
    }
    servers
}

/// `host` or `host:port` of an address.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

/// An address of a mirror as it stands in image names.
fn source(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let mut parts: Vec<_> = rest.split('/').filter(|part| !part.is_empty()).collect();
    if parts.get(1) == Some(&"v2") {
        parts.remove(1);
    }
    parts.join("/")
}

/// A user and a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    /// Login name.
    pub username: String,
    /// Password or token.
    pub password: SecretRef,
}

/// Time synchronisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Time {
    /// Whether the program takes care of it.
    pub manage: bool,
    /// NTP servers; none are those of the distribution.
    pub servers: Vec<String>,
}

/// The HTTP proxy of the hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proxy {
    /// For `http://`.
    pub http: Option<String>,
    /// For `https://`.
    pub https: Option<String>,
    /// What is reached directly, with the hosts and the cluster's networks; empty where there is no proxy.
    pub no_proxy: Vec<String>,
}

pub(super) fn registries(
    written: &[inventory::RegistrySpec],
    check: &mut RuleContext<'_>,
) -> Option<Vec<Registry>> {
    for (index, registry) in written.iter().enumerate() {
        if let Some(first) = written[..index]
            .iter()
            .find(|other| other.name.value == registry.name.value)
        {
            check.report(
                Diagnostic::error(
                    &code::DUPLICATE_REGISTRY,
                    format!("the registry `{}` is described twice", registry.name.value),
                )
                .at(registry.name.span, "again here")
                .at(first.name.span, "first here")
                .help("put both into one entry"),
            );
        }
    }
    mirror::check(written, check);
    let registries: Vec<_> = written
        .iter()
        .map(|registry| self::registry(registry, check))
        .collect();
    registries.into_iter().collect()
}

fn registry(written: &inventory::RegistrySpec, check: &mut RuleContext<'_>) -> Option<Registry> {
    let name = check.parse(&written.name, &code::BAD_ADDRESS, "registry", form::registry_name);
    let mirrors = check.parse_all(&written.mirrors, &code::BAD_URL, "mirror address", form::url);
    let ca = written.ca.as_ref().map(|ca| certificate(&ca.file, check));
    if let (true, Some(ca)) = (written.insecure.value, &written.ca) {
        check.report(
            Diagnostic::error(
                &code::INSECURE_WITH_CA,
                format!(
                    "the certificate of `{}` shall be checked, and shall not",
                    written.name.value
                ),
            )
            .at(written.insecure.span, "not checked")
            .at(ca.file.span, "checked against this CA")
            .help("with the CA, `insecure` is not needed"),
        );
    }
    let credentials = match &written.credentials {
        Some(written) => login(written, check).map(Some),
        None => Some(None),
    };
    let image = image(written, check);
    let harbor = harbor::check(written, check);
    let (name, mirrors) = (name?, mirrors?);
    Some(Registry {
        credentials: credentials?,
        image: image?,
        harbor: harbor?,
        plain: mirrors
            .iter()
            .any(|url| url.starts_with("http://") && host(url) == name),
        sources: mirrors.iter().map(|url| source(url)).collect(),
        name,
        mirrors,
        ca: match ca {
            Some(certificate) => Some(certificate?),
            None => None,
        },
        insecure: written.insecure.value,
    })
}

pub(super) fn login(written: &inventory::LoginSpec, check: &mut RuleContext<'_>) -> Option<Login> {
    let username = check.parse(&written.username, &code::BAD_WORD, "login name", form::login_name);
    let password = ssh::reference(&written.password, check);
    Some(Login {
        username: username?,
        password: password?,
    })
}

/// Outer `None`: it is wrong, and reported. Inner `None`: there is none.
#[expect(clippy::option_option, reason = "both kinds of absence occur")]
fn image(written: &inventory::RegistrySpec, check: &mut RuleContext<'_>) -> Option<Option<String>> {
    let Some(image) = &written.image else {
        return Some(None);
    };
    let reference = check.parse(image, &code::BAD_IMAGE, "image", form::image)?;
    if reference.split('/').next() != Some(written.name.value.as_str()) {
        let title = format!("`{reference}` is not in the registry `{}`", written.name.value);
        let problem = Diagnostic::error(&code::BAD_IMAGE, title)
            .at(image.span, "another registry")
            .at(written.name.span, "this registry");
        check.report(problem.help(format!("it begins with `{}/`", written.name.value)));
        return None;
    }
    Some(Some(reference))
}

fn certificate(file: &Spanned<String>, check: &mut RuleContext<'_>) -> Option<String> {
    let content = form::file(file, check)?;
    let text = String::from_utf8(content).ok();
    let text = text.filter(|text| {
        text.contains("-----BEGIN CERTIFICATE-----") && text.contains("-----END CERTIFICATE-----")
    });
    // A private key would be spread to all hosts.
    let text = text.filter(|text| !text.contains("PRIVATE KEY-----"));
    if text.is_none() {
        check.report(
            Diagnostic::error(
                &code::BAD_CERTIFICATE,
                format!("`{}` holds no certificate in PEM form", file.value),
            )
            .at(file.span, "")
            .help("it must hold `-----BEGIN CERTIFICATE-----` and no private key"),
        );
    }
    text
}

pub(super) fn time(written: &inventory::TimeSpec, check: &mut RuleContext<'_>) -> Option<Time> {
    let server = endpoint::host_name_or_address;
    Some(Time {
        manage: written.manage.value,
        servers: check.parse_all(&written.servers, &code::BAD_ADDRESS, "name or address", server)?,
    })
}

pub(super) fn proxy(written: &inventory::ProxySpec, check: &mut RuleContext<'_>) -> Option<Proxy> {
    let mut address = |written: &Option<Spanned<String>>| match written {
        Some(written) => check.parse(written, &code::BAD_URL, "proxy", form::url).map(Some),
        None => Some(None),
    };
    let (http, https) = (address(&written.http), address(&written.https));
    let no_proxy = check.parse_all(&written.no_proxy, &code::BAD_WORD, "exception", form::word);
    Some(Proxy {
        http: http?,
        https: https?,
        no_proxy: no_proxy?,
    })
}

impl Proxy {
    /// Adds what must never go through the proxy.
    pub(super) fn complete(&mut self, hosts: &[Host], networks: &Networks, endpoint: &str) {
        if self.http.is_none() && self.https.is_none() {
            self.no_proxy.clear();
            return;
        }
        let own = [
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            networks.pods.to_string(),
        ]
        .into_iter();
        let own = own.chain([
            networks.services.to_string(),
            ".svc".to_owned(),
            format!(".{}", networks.domain),
        ]);
        let hosts = hosts
            .iter()
            .flat_map(|host| [host.name.to_string(), host.address.to_string()]);
        for name in own.chain([endpoint.to_owned()]).chain(hosts) {
            if !self.no_proxy.contains(&name) {
                self.no_proxy.push(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{host, source};

    #[test]
    fn mirrors_stand_in_image_names_without_scheme_and_api() {
        for (url, expected, server) in [
            ("https://a.example/v2/hub", "a.example/hub", "a.example"),
            ("http://a.example:5000/", "a.example:5000", "a.example:5000"),
            ("https://a.example/x/v2", "a.example/x/v2", "a.example"),
        ] {
            assert_eq!((source(url).as_str(), host(url)), (expected, server));
        }
    }
}
