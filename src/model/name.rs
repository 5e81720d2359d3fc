//! Names.

use std::fmt;

use serde::Serialize;

/// A DNS label: lower-case letters, digits and `-`, at most 63 of them.
pub(super) fn label(text: &str) -> Result<String, String> {
    let edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    if bytes.is_empty() || bytes.len() > 63 {
        return Err("expected between 1 and 63 characters".to_owned());
    }
    if !bytes.iter().all(|byte| edge(byte) || *byte == b'-') {
        return Err("only lower-case letters, digits and `-` can stand in it".to_owned());
    }
    if !bytes.first().is_some_and(edge) || !bytes.last().is_some_and(edge) {
        return Err("it must begin and end with a letter or digit".to_owned());
    }
    Ok(text.to_owned())
}

/// A DNS name: labels with dots between them, at most 253 characters.
pub(super) fn domain(text: &str) -> Result<String, String> {
    if text.len() > 253 {
        return Err("expected at most 253 characters".to_owned());
    }
    for part in text.split('.') {
        label(part)?;
    }
    Ok(text.to_owned())
}

/// The name of a host: a DNS name that is the host's hostname and its node's name in Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct HostName(String);

impl HostName {
    /// Takes a name; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        // Linux has no longer hostnames.
        if text.len() > 63 {
            return Err("expected between 1 and 63 characters".to_owned());
        }
        domain(text).map(Self)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Key of a label or taint: a name of at most 63 characters, with an optional DNS prefix before a slash.
pub(super) fn qualified(text: &str) -> Result<(), String> {
    match text.split_once('/') {
        None => qualified_part(text, false),
        Some((prefix, name)) => {
            domain(prefix).map_err(|reason| format!("before the slash: {reason}"))?;
            qualified_part(name, false)
        }
    }
}

/// Value of a label or taint: like a name, and may be empty.
pub(super) fn label_value(text: &str) -> Result<(), String> {
    qualified_part(text, true)
}

fn qualified_part(text: &str, may_be_empty: bool) -> Result<(), String> {
    let edge = u8::is_ascii_alphanumeric;
    let bytes = text.as_bytes();
    if bytes.is_empty() && may_be_empty {
        return Ok(());
    }
    if bytes.is_empty() || bytes.len() > 63 {
        return Err("expected at most 63 characters, and not empty".to_owned());
    }
    if !bytes.iter().all(|byte| edge(byte) || b"-_.".contains(byte)) {
        return Err("only letters, digits, `-`, `_` and `.` can stand in it".to_owned());
    }
    if !bytes.first().is_some_and(edge) || !bytes.last().is_some_and(edge) {
        return Err("it must begin and end with a letter or digit".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_dns_names() {
        for good in ["cp1", "a", "node-1.rack2.example", "10"] {
            assert!(HostName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "CP1", "a_b", "-a", "a-", "a..b", ".a", &"x".repeat(64)] {
            assert!(HostName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn label_keys_may_have_a_prefix() {
        for good in ["a", "ci.example/Pool_1", "x.y-z"] {
            assert!(qualified(good).is_ok(), "{good}");
        }
        for bad in ["", "a/b/c", "/a", "a/", "ä", "Upper.example/a", "-a"] {
            assert!(qualified(bad).is_err(), "{bad}");
        }
        assert!(label_value("").is_ok());
    }
}
