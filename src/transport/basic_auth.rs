//! User and password as an HTTP header (RFC 7617).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};

/// The value of `Authorization`, which no log shows.
pub fn basic_auth(user: &str, password: &SecretString) -> HeaderValue {
    let pair = BASE64.encode(format!("{user}:{}", password.expose_secret()));
    // Base64 has no character that a header may not have.
    let mut value =
        HeaderValue::try_from(format!("Basic {pair}")).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_encoded_and_hidden() {
        let value = basic_auth("robot", &"hunter2".into());
        assert_eq!(value, "Basic cm9ib3Q6aHVudGVyMg==");
        assert_eq!(format!("{value:?}"), "Sensitive");
    }
}
