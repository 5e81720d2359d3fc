//! Registries, time, proxy, and the forms of addresses and files that they share.

use std::fmt::Write;

use serde::Serialize;

use super::check::Check;
use super::{Host, Networks, code, endpoint, name};
use crate::diagnostic::Diagnostic;
use crate::inventory;
use crate::yaml::Spanned;

/// A container registry that needs something special on the hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Registry {
    /// `host` or `host:port`, as in image names.
    pub name: String,
    /// Addresses that are asked first.
    pub mirrors: Vec<String>,
    /// The CA's certificates in PEM form.
    pub ca: Option<String>,
    /// Whether the certificate is not checked.
    pub insecure: bool,
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

pub(super) fn registries(written: &[inventory::Registry], check: &mut Check<'_>) -> Option<Vec<Registry>> {
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
    let registries: Vec<_> = written
        .iter()
        .map(|registry| self::registry(registry, check))
        .collect();
    registries.into_iter().collect()
}

fn registry(written: &inventory::Registry, check: &mut Check<'_>) -> Option<Registry> {
    let name = check.parse(&written.name, &code::BAD_ADDRESS, "registry", registry_name);
    let mirrors = check.parse_all(&written.mirrors, &code::BAD_URL, "address of a mirror", url);
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
    Some(Registry {
        name: name?,
        mirrors: mirrors?,
        ca: match ca {
            Some(certificate) => Some(certificate?),
            None => None,
        },
        insecure: written.insecure.value,
    })
}

fn registry_name(text: &str) -> Result<String, String> {
    if text.contains('/') {
        return Err("only the host, with its port: no scheme and no path".to_owned());
    }
    if text.contains(':') {
        endpoint::Endpoint::parse(text)?;
    } else {
        endpoint::host_name_or_address(text)?;
    }
    Ok(text.to_owned())
}

fn certificate(file: &Spanned<String>, check: &mut Check<'_>) -> Option<String> {
    let content = self::file(file, check)?;
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

/// The content of a file that the inventory names.
pub(super) fn file(name: &Spanned<String>, check: &mut Check<'_>) -> Option<Vec<u8>> {
    let files = &check.document.files;
    match files.content(name) {
        Ok(content) => Some(content.to_vec()),
        Err(reason) => {
            let problem = Diagnostic::error(&code::UNREADABLE_FILE, format!("cannot read `{}`", name.value))
                .at(name.span, reason)
                .help(format!("it was looked for at {}", files.path(name).display()));
            check.report(problem);
            None
        }
    }
}

pub(super) fn time(written: &inventory::Time, check: &mut Check<'_>) -> Option<Time> {
    let server = endpoint::host_name_or_address;
    Some(Time {
        manage: written.manage.value,
        servers: check.parse_all(&written.servers, &code::BAD_ADDRESS, "name or address", server)?,
    })
}

pub(super) fn proxy(written: &inventory::Proxy, check: &mut Check<'_>) -> Option<Proxy> {
    let mut address = |written: &Option<Spanned<String>>| match written {
        Some(written) => check.parse(written, &code::BAD_URL, "proxy", url).map(Some),
        None => Some(None),
    };
    let (http, https) = (address(&written.http), address(&written.https));
    let no_proxy = check.parse_all(&written.no_proxy, &code::BAD_WORD, "exception", word);
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

/// An `http` or `https` URL with a host.
pub(super) fn url(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    let rest = rest.ok_or("it must begin with http:// or https://")?;
    if text.contains(|letter: char| {
        letter.is_whitespace() || letter.is_control() || "\"'<>\\^`|".contains(letter)
    }) {
        return Err("such characters can't stand in an address".to_owned());
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("a password must not stand in it".to_owned());
    }
    match authority.rsplit_once(':') {
        Some((_, port)) if !port.ends_with(']') => endpoint::Endpoint::parse(authority).map(drop)?,
        _ if authority.starts_with('[') => endpoint::Endpoint::parse(&format!("{authority}:1")).map(drop)?,
        _ => endpoint::host_name_or_address(&authority.to_lowercase()).map(drop)?,
    }
    Ok(text.to_owned())
}

/// Hexadecimal digits, returned in lower case.
pub(super) fn hexadecimal(text: &str, digits: usize) -> Result<String, String> {
    let compact: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
    if compact.len() != digits || !compact.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(format!("{digits} hexadecimal digits, please"));
    }
    Ok(compact.to_lowercase())
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// One word without anything that a shell, a list or a configuration file would take for something else.
pub(super) fn word(text: &str) -> Result<String, String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._/:~+*${}[]".contains(letter);
    if text.is_empty() || text.starts_with('-') || !text.chars().all(plain) {
        return Err("one word of letters, digits and few other characters, please".to_owned());
    }
    Ok(text.to_owned())
}

/// A registry, with a path where images are below one.
pub(super) fn image_repository(text: &str) -> Result<String, String> {
    let (registry, path) = text.split_once('/').unwrap_or((text, "path"));
    registry_name(registry)?;
    let part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte))
    };
    if !path.split('/').all(part) {
        return Err(
            "after the registry, only lower-case letters, digits, `-`, `.` and `_` between slashes"
                .to_owned(),
        );
    }
    Ok(text.to_owned())
}

/// A package or repository name, which becomes part of a file name.
pub(super) fn file_name(text: &str) -> Result<String, String> {
    name::label(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_a_scheme_and_a_host() {
        for good in [
            "http://10.77.0.1:8000/kubernetes/",
            "https://pkgs.k8s.io/core:/stable:/v1.36/deb/",
            "https://[fd00::1]:5000/v2",
            "http://[fd00::1]/",
            "https://Harbor.ci.example",
        ] {
            assert_eq!(url(good), Ok(good.to_owned()));
        }
        for bad in [
            "ftp://a/",
            "https://",
            "a.b/c",
            "https://user:pw@a/",
            "http://a b/",
            "http://a:x/",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn image_repositories_have_no_scheme() {
        for good in [
            "registry.k8s.io",
            "10.77.0.1:5000",
            "harbor.ci.example/proxy/k8s_io",
        ] {
            assert_eq!(image_repository(good), Ok(good.to_owned()));
        }
        for bad in ["https://registry.k8s.io", "a/", "a//b", "a/B", "", "a/b:1"] {
            assert!(image_repository(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fingerprints_may_be_grouped() {
        assert_eq!(hexadecimal("AB cd", 4), Ok("abcd".to_owned()));
        assert!(hexadecimal("abcg", 4).is_err() && hexadecimal("abc", 4).is_err());
        assert_eq!(hex(&[0, 255]), "00ff");
    }
}
