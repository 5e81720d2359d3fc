//! Why a node can't be decoded.

use std::fmt;

use serde::de::{self, Unexpected};

use super::node::YamlNode;
use super::{code, did_you_mean};
use crate::diagnostic::{Code, Diagnostic, Span};

/// Why decoding stopped, and the branch to cut off so that the rest can be decoded.
#[derive(Debug)]
pub(super) struct DecodeFailure {
    code: &'static Code,
    message: String,
    help: Option<String>,
    pub(super) span: Span,
    /// Positions of the faulty node in its parents, innermost first.
    pub(super) path: Vec<usize>,
}

impl DecodeFailure {
    pub(super) fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            help: None,
            span: Span::NONE,
            path: Vec::new(),
        }
    }

    /// Whether it says that something is missing, which may be because it was cut off.
    pub(super) fn is_missing_key(&self) -> bool {
        *self.code == code::MISSING_KEY
    }

    /// Notes the place on the way out.
    pub(super) fn inside(mut self, node: &YamlNode, index: usize) -> Self {
        self = self.at(node);
        self.path.push(index);
        self
    }

    pub(super) fn at(mut self, node: &YamlNode) -> Self {
        if !self.span.is_written() {
            self.span = node.span;
        }
        self
    }

    pub(super) fn into_diagnostic(self) -> Diagnostic {
        let mut diagnostic = Diagnostic::error(self.code, self.message).at(self.span, "");
        diagnostic.help = self.help;
        diagnostic
    }
}

impl fmt::Display for DecodeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DecodeFailure {}

impl de::Error for DecodeFailure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(&code::BAD_VALUE, message.to_string())
    }
    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(
            &code::WRONG_TYPE,
            format!("expected {}, found {found}", in_words(expected)),
        )
    }
    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(
            &code::BAD_VALUE,
            format!("expected {}, found {found}", in_words(expected)),
        )
    }
    fn missing_field(field: &'static str) -> Self {
        Self::new(&code::MISSING_KEY, format!("the key `{field}` is missing here"))
    }
    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let mut failure = Self::new(
            &code::BAD_VALUE,
            format!("`{variant}` is not a value for this key"),
        );
        failure.help = Some(match did_you_mean(variant, expected.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("it can be {}", listed(expected)),
        });
        failure
    }
}

/// Names of Rust's types say nothing to the user.
fn in_words(expected: &dyn de::Expected) -> String {
    match expected.to_string().as_str() {
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" | "u64" => "a whole number, not negative".to_owned(),
        other => other.to_owned(),
    }
}

/// Words in a sentence: "`a`, `b` or `c`".
pub(super) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}
