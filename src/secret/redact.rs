//! Masking of secrets in text.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

/// What is shown in place of a secret.
const MASK: &str = "(secret)";

/// Masks every secret that it was told of. Clones share what they know.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a secret that is part of another does not leave the rest of that one.
    words: Arc<RwLock<Vec<SecretString>>>,
}

impl Redactor {
    /// Learns a secret: as it is, each of its lines, and as Kubernetes encodes it.
    pub fn learn(&self, secret: &SecretString) {
        let secret = secret.expose_secret();
        let forms = [secret.to_owned(), STANDARD.encode(secret)];
        let lines = secret.lines().map(str::trim).map(str::to_owned);
        let mut words = self.words.write().unwrap_or_else(PoisonError::into_inner);
        for form in forms.into_iter().chain(lines).filter(|form| !form.is_empty()) {
            if !words.iter().any(|word| word.expose_secret() == form) {
                words.push(form.into());
            }
        }
        words.sort_by_key(|word| std::cmp::Reverse(word.expose_secret().len()));
    }

    /// The text with every known secret masked.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let words = self.words.read().unwrap_or_else(PoisonError::into_inner);
        words
            .iter()
            .map(ExposeSecret::expose_secret)
            .fold(Cow::Borrowed(text), |text, word| {
                if text.contains(word) {
                    Cow::Owned(text.replace(word, MASK))
                } else {
                    text
                }
            })
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_in_every_form() {
        let redactor = Redactor::default();
        for secret in ["hunter", "hunter2", "first line\n second line\n", ""] {
            redactor.learn(&secret.into());
        }
        let text = "hunter2 hunter aHVudGVyMg== / second line / plain";
        assert_eq!(
            redactor.clone().redact(text),
            "(secret) (secret) (secret) / (secret) / plain"
        );
        assert!(matches!(redactor.redact("plain"), Cow::Borrowed("plain")));
    }
}
