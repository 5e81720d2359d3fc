//! The forms of words, addresses and files that the inventory's parts share.

use super::check::RuleContext;
use super::{code, endpoint, name};
use crate::diagnostic::Diagnostic;
use crate::inventory::BuildContextFile;
use crate::yaml::Spanned;

/// The content of a file that the inventory names.
pub(super) fn file(name: &Spanned<String>, check: &mut RuleContext<'_>) -> Option<Vec<u8>> {
    let content = check.document.files.content(name);
    found(name, content, check).map(<[u8]>::to_vec)
}

/// The files of a folder that the inventory names.
pub(super) fn folder<'a>(
    name: &Spanned<String>,
    check: &mut RuleContext<'a>,
) -> Option<&'a [BuildContextFile]> {
    let files = check.document.files.folder(name);
    found(name, files, check)
}

/// What was read, or nothing and a problem.
fn found<T>(name: &Spanned<String>, read: Result<T, &str>, check: &mut RuleContext<'_>) -> Option<T> {
    read.map_err(|reason| {
        let path = check.document.files.path(name);
        let problem = Diagnostic::error(&code::UNREADABLE_FILE, format!("cannot read `{}`", name.value))
            .at(name.span, reason)
            .help(format!("it was looked for at {}", path.display()));
        check.report(problem);
    })
    .ok()
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
        return Err(format!("expected {digits} hexadecimal digits"));
    }
    Ok(compact.to_lowercase())
}

/// One word without anything that a shell, a list or a configuration file would take for something else.
pub(super) fn word(text: &str) -> Result<String, String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._/:~+*${}[]".contains(letter);
    if text.is_empty() || text.starts_with('-') || !text.chars().all(plain) {
        return Err("expected one word of letters, digits and few other characters".to_owned());
    }
    Ok(text.to_owned())
}

/// A login name for HTTP, which ends it at a colon (RFC 7617).
pub(super) fn login_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(':') || text.chars().any(char::is_control) {
        return Err("a name without `:`".to_owned());
    }
    Ok(text.to_owned())
}

/// A registry as it stands in image names.
pub(super) fn registry_name(text: &str) -> Result<String, String> {
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

/// An image with a tag or a digest: without either, what it is would change by itself.
pub(super) fn image(text: &str) -> Result<String, String> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    if let Some(digest) = digest {
        let digits = digest
            .strip_prefix("sha256:")
            .ok_or("a digest begins with `sha256:`")?;
        hexadecimal(digits, 64)?;
    }
    // The last colon belongs to the registry's port if a slash follows.
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (rest, None),
    };
    if tag.is_none() && digest.is_none() {
        return Err("a tag is missing: `name:tag`".to_owned());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if tag.is_some_and(|tag| tag.is_empty() || tag.len() > 128 || !tag.bytes().all(plain)) {
        return Err("only letters, digits, `-`, `.` and `_` in the tag".to_owned());
    }
    if !name.contains('/') {
        return Err("its registry is missing: `docker.io/library/name:tag`".to_owned());
    }
    image_repository(name)?;
    Ok(text.to_owned())
}

/// An amount of cpu, memory or storage as Kubernetes writes it.
pub(super) fn quantity(text: &str) -> Result<String, String> {
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let units = ["", "m", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti", "Pi"];
    let positive = number.parse::<f64>().is_ok_and(|number| number > 0.0);
    if !positive || number.starts_with('.') || number.ends_with('.') || !units.contains(&unit) {
        return Err("a number and a unit, such as `500m`, `2` or `4Gi`".to_owned());
    }
    Ok(text.to_owned())
}

/// An absolute path without surprises.
pub(super) fn absolute_path(text: &str) -> Result<String, String> {
    let plain = |letter: char| !letter.is_control() && letter != ':';
    if !text.starts_with('/') || !text.chars().all(plain) || text.split('/').any(|part| part == "..") {
        return Err("it must begin with `/`, without `..` and `:`".to_owned());
    }
    Ok(text.to_owned())
}

/// Text on one line.
pub(super) fn one_line(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err("expected one line that is not empty".to_owned());
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
    fn images_are_told_in_full() {
        let digest = format!("harbor.ci.example:8443/ci/jenkins@sha256:{}", "a".repeat(64));
        for good in [
            "docker.io/jenkins/jenkins:2.568.2-jdk21",
            "10.77.0.1:5000/jenkins/jenkins:1",
            &digest,
        ] {
            assert_eq!(image(good), Ok(good.to_owned()));
        }
        for bad in [
            "jenkins:1",
            "docker.io/jenkins/jenkins",
            "docker.io/a:b c",
            "docker.io/a@sha256:1",
            "h:5000/a",
        ] {
            assert!(image(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn quantities_have_units_of_kubernetes() {
        for good in ["500m", "2", "0.5", "4Gi", "10M"] {
            assert_eq!(quantity(good), Ok(good.to_owned()));
        }
        for bad in ["", "Gi", "4GB", "-1", "0", "1e3x", ".5", "1.Gi"] {
            assert!(quantity(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fingerprints_may_be_grouped() {
        assert_eq!(hexadecimal("AB cd", 4), Ok("abcd".to_owned()));
        assert!(hexadecimal("abcg", 4).is_err() && hexadecimal("abc", 4).is_err());
        assert_eq!(hex::encode([0, 255]), "00ff");
    }
}
