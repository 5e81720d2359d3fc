//! Secrets that have been fetched, for templates.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::{Redactor, SecretRef};

/// Fetched secrets by their references. What is made of one is registered with the redactor like the secret itself.
#[derive(Debug, Default)]
pub struct SecretValues {
    secrets: HashMap<SecretRef, SecretString>,
    redactor: Redactor,
    /// Whether those that were not fetched are empty.
    blank: bool,
}

impl SecretValues {
    pub(super) fn new(secrets: HashMap<SecretRef, SecretString>, redactor: Redactor) -> Self {
        Self {
            secrets,
            redactor,
            blank: false,
        }
    }

    /// No secret at all, and an empty text for each: for who asks a plan for paths, and not for what stands in the files.
    pub fn blank() -> Self {
        Self {
            blank: true,
            ..Self::default()
        }
    }

    /// The secret's text; `None` when it was not fetched.
    pub fn text(&self, reference: &SecretRef) -> Option<&str> {
        let fetched = self.secrets.get(reference).map(ExposeSecret::expose_secret);
        fetched.or(self.blank.then_some(""))
    }

    /// User and password as HTTP's `Basic` and registries' `auth` have them (RFC 7617).
    pub fn basic_auth(&self, user: &str, password: &str) -> String {
        let text = STANDARD.encode(format!("{user}:{password}"));
        self.redactor.learn(&text.clone().into());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_of_a_secret_is_masked_too() {
        let known = SecretValues::default();
        let text = known.basic_auth("robot", "hunter2");
        assert_eq!(text, "cm9ib3Q6aHVudGVyMg==");
        assert_eq!(known.redactor.redact(&format!("auth: {text}")), "auth: (secret)");
    }
}
