//! From the tree of a document to a type of ours: a serde deserializer that knows where it is.

use std::cell::RefCell;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::failure::{DecodeFailure, listed};
use super::node::{YamlNode, YamlValue};
use super::spanned::SPANNED;
use super::{code, did_you_mean};
use crate::diagnostic::Diagnostic;

/// Deserializes one node; keys that no type asks for are reported and passed over.
#[derive(Clone, Copy)]
pub(super) struct Decoder<'a> {
    pub(super) node: &'a YamlNode,
    pub(super) text: &'a str,
    pub(super) unknown: &'a RefCell<Vec<Diagnostic>>,
}

impl<'a> Decoder<'a> {
    fn to(self, node: &'a YamlNode) -> Self {
        Self { node, ..self }
    }

    fn wrong(self, expected: &str) -> DecodeFailure {
        let found = self.node.value.kind();
        DecodeFailure::new(&code::WRONG_TYPE, format!("expected {expected}, found {found}")).at(self.node)
    }

    /// A scalar as it was written, for `1.30` is a version to us and not the number 1.3.
    fn scalar(self) -> Option<String> {
        let written = self.text.get(self.node.span.start..self.node.span.end);
        match &self.node.value {
            YamlValue::String(string) => Some(string.clone()),
            YamlValue::Bool(_) | YamlValue::Integer(_) | YamlValue::Float(_) => written.map(str::to_owned),
            _ => None,
        }
    }

    fn report_unknown(self, key: &YamlNode, name: &str, known: &'static [&'static str]) {
        let mut diagnostic =
            Diagnostic::error(&code::UNKNOWN_KEY, format!("unknown key `{name}`")).at(key.span, "");
        diagnostic.help = Some(match did_you_mean(name, known.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!(
                "the keys known here are {}",
                listed(known).replace(" or ", " and ")
            ),
        });
        self.unknown.borrow_mut().push(diagnostic);
    }
}

impl<'de> Deserializer<'de> for Decoder<'_> {
    type Error = DecodeFailure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeFailure> {
        match &self.node.value {
            YamlValue::Null => visitor.visit_unit(),
            YamlValue::Bool(value) => visitor.visit_bool(*value),
            YamlValue::Integer(value) => visitor.visit_i64(*value),
            YamlValue::Float(value) => visitor.visit_f64(*value),
            YamlValue::String(value) => visitor.visit_str(value),
            YamlValue::Sequence(_) => self.deserialize_seq(visitor),
            YamlValue::Mapping(_) => self.deserialize_map(visitor),
        }
        .map_err(|failure| failure.at(self.node))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeFailure> {
        let string = self.scalar().ok_or_else(|| self.wrong("a string"))?;
        visitor
            .visit_string(string)
            .map_err(|failure: DecodeFailure| failure.at(self.node))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeFailure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeFailure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeFailure> {
        match self.node.value {
            YamlValue::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeFailure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeFailure> {
        let YamlValue::Sequence(nodes) = &self.node.value else {
            return Err(self.wrong("a list"));
        };
        visitor.visit_seq(ListReader {
            decoder: self,
            nodes,
            next: 0,
        })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeFailure> {
        let YamlValue::Mapping(entries) = &self.node.value else {
            return Err(self.wrong("a mapping"));
        };
        visitor.visit_map(MappingReader {
            decoder: self,
            entries,
            next: 0,
            known: None,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeFailure> {
        if name == SPANNED {
            return visitor.visit_map(SpannedReader {
                decoder: self,
                part: 0,
            });
        }
        let YamlValue::Mapping(entries) = &self.node.value else {
            return Err(self.wrong("a mapping"));
        };
        visitor.visit_map(MappingReader {
            decoder: self,
            entries,
            next: 0,
            known: Some(fields),
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeFailure> {
        let choice = match &self.node.value {
            YamlValue::Mapping(entries) => match &entries[..] {
                [(key, content)] => self.to(key).scalar().map(|name| (name, Some(content))),
                _ => None,
            },
            _ => self.scalar().map(|name| (name, None)),
        };
        let (name, content) = choice.ok_or_else(|| self.wrong(&listed(variants)))?;
        let choice = VariantReader {
            name,
            content,
            decoder: self,
        };
        visitor
            .visit_enum(choice)
            .map_err(|failure| failure.at(self.node))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf
        unit unit_struct tuple tuple_struct ignored_any
    }
}

struct ListReader<'a> {
    decoder: Decoder<'a>,
    nodes: &'a [YamlNode],
    next: usize,
}

impl<'de> de::SeqAccess<'de> for ListReader<'_> {
    type Error = DecodeFailure;
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeFailure> {
        let Some(node) = self.nodes.get(self.next) else {
            return Ok(None);
        };
        self.next += 1;
        seed.deserialize(self.decoder.to(node))
            .map(Some)
            .map_err(|failure| failure.inside(node, self.next - 1))
    }
}

struct MappingReader<'a> {
    decoder: Decoder<'a>,
    entries: &'a [(YamlNode, YamlNode)],
    next: usize,
    /// The fields of a struct; mappings with free keys have none.
    known: Option<&'static [&'static str]>,
}

impl<'de> de::MapAccess<'de> for MappingReader<'_> {
    type Error = DecodeFailure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeFailure> {
        while let Some((key, value)) = self.entries.get(self.next) {
            self.next += 1;
            let decoder = self.decoder.to(key);
            let name = decoder.scalar().ok_or_else(|| decoder.wrong("a key"))?;
            match self.known {
                Some(known) if !known.contains(&&*name) => decoder.report_unknown(key, &name, known),
                // A key without a value is a key left out: `ssh:` with everything below it commented out.
                Some(_) if matches!(value.value, YamlValue::Null) => {}
                _ => return seed.deserialize(decoder).map(Some),
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DecodeFailure> {
        let index = self.next - 1;
        let node = &self.entries[index].1;
        seed.deserialize(self.decoder.to(node))
            .map_err(|failure| failure.inside(node, index))
    }
}

/// A value seen as start, end and value, for `Spanned`.
struct SpannedReader<'a> {
    decoder: Decoder<'a>,
    part: usize,
}

impl<'de> de::MapAccess<'de> for SpannedReader<'_> {
    type Error = DecodeFailure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeFailure> {
        self.part += 1;
        seed.deserialize(self.part.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DecodeFailure> {
        match self.part {
            1 => seed.deserialize(self.decoder.node.span.start.into_deserializer()),
            2 => seed.deserialize(self.decoder.node.span.end.into_deserializer()),
            _ => seed.deserialize(self.decoder),
        }
    }
}

/// A word, or a mapping with one key: a variant of an enum.
struct VariantReader<'a> {
    name: String,
    content: Option<&'a YamlNode>,
    decoder: Decoder<'a>,
}

impl<'de> de::EnumAccess<'de> for VariantReader<'_> {
    type Error = DecodeFailure;
    type Variant = Self;
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), DecodeFailure> {
        let name: StrDeserializer<'_, DecodeFailure> = self.name.as_str().into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for VariantReader<'_> {
    type Error = DecodeFailure;

    fn unit_variant(self) -> Result<(), DecodeFailure> {
        match self.content {
            None => Ok(()),
            Some(_) => Err(DecodeFailure::new(
                &code::WRONG_TYPE,
                format!("`{}` takes no value", self.name),
            )),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DecodeFailure> {
        let Some(content) = self.content else {
            let message = format!("`{}` needs a value: `{{ {}: … }}`", self.name, self.name);
            return Err(DecodeFailure::new(&code::WRONG_TYPE, message));
        };
        seed.deserialize(self.decoder.to(content))
            .map_err(|failure| failure.inside(content, 0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, DecodeFailure> {
        Err(DecodeFailure::new(
            &code::WRONG_TYPE,
            "this kind of value can't be written in YAML",
        ))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeFailure> {
        let content = self.content.unwrap_or(self.decoder.node);
        self.decoder
            .to(content)
            .deserialize_struct("", fields, visitor)
            .map_err(|failure| failure.inside(content, 0))
    }
}
