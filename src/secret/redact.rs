//! Masking of secrets in text.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::forms;

/// What is shown in place of a secret.
const MASK: &str = "(secret)";

/// Masks every secret that was registered with it. Clones share what they know.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a secret that is part of another does not leave the rest of that one.
    words: Arc<RwLock<Vec<SecretString>>>,
}

impl Redactor {
    /// What the whole process knows: everything that a person sees passes it.
    pub fn process() -> Self {
        static PROCESS: LazyLock<Redactor> = LazyLock::new(Redactor::default);
        PROCESS.clone()
    }

    /// Learns a secret: as it is, each of its lines, and as shells, URLs and files have it.
    pub fn learn(&self, secret: &SecretString) {
        let forms = forms::of(secret.expose_secret());
        let mut words = self.words.write().unwrap_or_else(PoisonError::into_inner);
        for form in forms {
            if !words.iter().any(|word| word.expose_secret() == form) {
                words.push(form.into());
            }
        }
        words.sort_by_key(|word| std::cmp::Reverse(word.expose_secret().len()));
    }

    /// Learns a secret that stands somewhere in base64: that text, and what it says.
    pub fn learn_base64(&self, encoded: &SecretString) {
        self.learn(encoded);
        let decoded = STANDARD.decode(encoded.expose_secret());
        if let Some(text) = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
            self.learn(&text.into());
        }
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

    fn knows(secret: &str) -> Redactor {
        let redactor = Redactor::default();
        redactor.learn(&secret.into());
        redactor
    }

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

    #[test]
    fn a_secret_inside_a_larger_base64_is_masked_wherever_it_begins() {
        let redactor = knows("hunter2-and-more");
        for before in ["", "a", "ab", "abc"] {
            for after in ["", "\n", "xy"] {
                let text = STANDARD.encode(format!("{before}hunter2-and-more{after}"));
                let shown = redactor.redact(&text).into_owned();
                assert!(shown.contains(MASK) && shown.len() <= 16, "{text}: {shown}");
            }
        }
    }

    #[test]
    fn escaped_quoted_and_hexadecimal_secrets_are_masked() {
        let secret = "it's \"1+1=2\" <&> \u{e9}/";
        let redactor = knows(secret);
        for text in [
            serde_json::to_string(secret).unwrap_or_default(),
            r#""it's \"1+1=2\" \u003c\u0026\u003e \u00e9/""#.to_owned(),
            format!("{secret:?}"),
            r#"'it'\''s "1+1=2" <&> é/'"#.to_owned(),
            "it%27s%20%221%2B1%3D2%22%20%3C%26%3E%20%C3%A9%2F".to_owned(),
            "it%27s+%221%2B1%3D2%22+%3C%26%3E+%C3%A9%2F".to_owned(),
            hex::encode(secret),
            hex::encode_upper(secret),
            base64::engine::general_purpose::URL_SAFE.encode(secret),
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(secret),
        ] {
            let shown = redactor.redact(&text).into_owned();
            assert!(shown.len() <= MASK.len() + 2, "{text}: {shown}");
        }
    }

    #[test]
    fn short_lines_of_a_long_secret_stay_words_of_everyday_use() {
        let redactor = knows("{\n  \"auth\": \"aHVudGVy\"\n}\n");
        assert_eq!(redactor.redact("a {} b"), "a {} b");
        assert_eq!(redactor.redact("x \"auth\": \"aHVudGVy\" y"), "x (secret) y");
    }
}
