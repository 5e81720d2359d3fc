//! Where the API server is reached.

use std::fmt;
use std::net::IpAddr;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::name;

/// The TCP port on which kubeadm lets an API server listen.
pub const API_PORT: u16 = 6443;

/// A host, by name or address, and a TCP port. Serializes with `host`, `port` and `address` (`host:port`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// DNS name or IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Endpoint {
    /// Takes `host:port`, an IPv6 address in brackets; the error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = text.rsplit_once(':').ok_or("the port is missing: `host:port`")?;
        let port = port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or("the port must be a number up to 65535")?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address
                .parse::<IpAddr>()
                .map_err(|_| "no IPv6 address in the brackets")?
                .to_string(),
            None => host_name_or_address(host)?,
        };
        Ok(Self { host, port })
    }
}

/// A DNS name or an IP address.
pub(super) fn host_name_or_address(text: &str) -> Result<String, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if numeric {
        return Err("it looks like an IP address, but is none".to_owned());
    }
    name::domain(text)
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut endpoint = serializer.serialize_struct("Endpoint", 3)?;
        endpoint.serialize_field("host", &self.host)?;
        endpoint.serialize_field("port", &self.port)?;
        endpoint.serialize_field("address", &self.to_string())?;
        endpoint.end()
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn endpoints_round_trip() {
        for good in ["api.ci.example:6443", "10.0.0.1:6443", "[fd00::1]:6443"] {
            assert_eq!(
                Endpoint::parse(good).map(|endpoint| endpoint.to_string()),
                Ok(good.to_owned())
            );
        }
        for bad in [
            "api",
            "api:",
            "api:0",
            "api:70000",
            "10.0.0.300:6443",
            "a b:1",
            "[x]:1",
            "fd00::1:6443:",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }
}
