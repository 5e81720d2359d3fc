//! A YAML document as a tree in which every node knows its place.
//!
//! The tree is what makes it possible to name all problems of a file: a faulty branch is cut off, and the rest read on.

use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::code;
use crate::diagnostic::{Diagnostic, Span};

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct YamlNode {
    pub(super) span: Span,
    pub(super) value: YamlValue,
    /// Whether something faulty was cut off below, so that something missing here is no new problem.
    pub(super) cut: bool,
}

#[derive(Debug, Clone)]
pub(super) enum YamlValue {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    String(String),
    Sequence(Vec<YamlNode>),
    Mapping(Vec<(YamlNode, YamlNode)>),
}

impl YamlValue {
    /// What to call it towards the user.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::String(_) => "a string",
            Self::Sequence(_) => "a list",
            Self::Mapping(_) => "a mapping",
        }
    }
}

/// Parses the only document of a text.
pub(super) fn parse(text: &str) -> Result<YamlNode, Diagnostic> {
    let options = serde_saphyr::options! {
        // Of all policies, this one hands doubled keys of a mapping to the visitor: `doubled_keys` reports them.
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::LastWins,
        strict_booleans: true,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let location = error.location();
        let error = error.without_snippet().to_string();
        let message = error.split(" at line ").next().unwrap_or(&error);
        let span = location.map_or(Span::NONE, |at| position(text, at.line(), at.column()));
        Diagnostic::error(&code::SYNTAX, "the file can't be read as YAML").at(span, message)
    })
}

/// The span of the character at a line and column, both counted from 1.
fn position(text: &str, line: u64, column: u64) -> Span {
    let skip = |count: u64| usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX);
    let mut start = 0;
    for line in text.split_inclusive('\n').take(skip(line)) {
        start += line.len();
    }
    start += text[start..]
        .chars()
        .take(skip(column))
        .map(char::len_utf8)
        .sum::<usize>();
    let end = start + text[start..].chars().next().map_or(0, char::len_utf8);
    Span { start, end }
}

/// Reports keys that stand twice in a mapping and keeps the first of each.
pub(super) fn doubled_keys(node: &mut YamlNode, problems: &mut Vec<Diagnostic>) {
    match &mut node.value {
        YamlValue::Sequence(nodes) => nodes.iter_mut().for_each(|node| doubled_keys(node, problems)),
        YamlValue::Mapping(entries) => {
            let mut seen: Vec<(String, Span)> = Vec::new();
            entries.retain_mut(|(key, value)| {
                doubled_keys(value, problems);
                let YamlValue::String(name) = &key.value else {
                    return true;
                };
                if let Some((_, first)) = seen.iter().find(|(known, _)| known == name) {
                    problems.push(
                        Diagnostic::error(
                            &code::DUPLICATE_KEY,
                            format!("the key `{name}` stands here twice"),
                        )
                        .at(key.span, "again here")
                        .at(*first, "first here"),
                    );
                    return false;
                }
                seen.push((name.clone(), key.span));
                true
            });
        }
        _ => {}
    }
}

impl<'de> Deserialize<'de> for YamlNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = serde_saphyr::Spanned::<YamlValue>::deserialize(deserializer)?;
        let written = spanned.defined.span();
        let offset = |bytes: Option<u64>| usize::try_from(bytes.unwrap_or(0)).unwrap_or(usize::MAX);
        let start = offset(written.byte_offset());
        let mut span = Span {
            start,
            end: start.saturating_add(offset(written.byte_len())),
        };
        // Block collections have no extent of their own: their first key or item stands for them.
        let first = match &spanned.value {
            YamlValue::Mapping(entries) => entries.first().map(|(key, _)| key.span),
            YamlValue::Sequence(nodes) => nodes.first().map(|node| node.span),
            _ => None,
        };
        span = first.unwrap_or(span);
        Ok(Self {
            span,
            value: spanned.value,
            cut: false,
        })
    }
}

impl<'de> Deserialize<'de> for YamlValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = YamlValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<YamlValue, E> {
        Ok(YamlValue::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<YamlValue, E> {
        Ok(YamlValue::Integer(value))
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<YamlValue, E> {
        i64::try_from(value)
            .map(YamlValue::Integer)
            .map_err(|_| E::custom("the number is too large"))
    }
    fn visit_f64<E>(self, value: f64) -> Result<YamlValue, E> {
        Ok(YamlValue::Float(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<YamlValue, E> {
        Ok(YamlValue::String(value.to_owned()))
    }
    fn visit_unit<E>(self) -> Result<YamlValue, E> {
        Ok(YamlValue::Null)
    }
    fn visit_none<E>(self) -> Result<YamlValue, E> {
        Ok(YamlValue::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<YamlValue, D::Error> {
        YamlValue::deserialize(deserializer)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<YamlValue, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = items.next_element()? {
            nodes.push(node);
        }
        Ok(YamlValue::Sequence(nodes))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<YamlValue, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(YamlValue::Mapping(entries))
    }
}
