//! Objects of our own, by server-side apply.

use futures::future::BoxFuture;
use serde::Deserialize;

use super::{ClusterKindError, ClusterResource, ClusterStepError, ProgressSink};
use crate::cluster_api::{Api, Difference, DifferenceKind, Object};
use crate::resource::{Change, Comparison};
use crate::yaml;

/// Most lines of one object's difference that a plan shows.
const SHOWN: usize = 12;

/// What a playbook gives.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ManifestFields {
    /// YAML documents, or a list of such texts.
    objects: ManifestTexts,
}

/// One text with YAML documents, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum ManifestTexts {
    One(String),
    Many(Vec<String>),
}

impl ManifestTexts {
    /// The documents as objects.
    pub(super) fn parse(self) -> Result<Vec<Object>, ClusterKindError> {
        let texts = match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        };
        let mut objects = Vec::new();
        for text in texts {
            objects.extend(yaml::manifests(&text)?);
        }
        Ok(objects)
    }
}

/// Objects that shall be as written.
#[derive(Debug)]
pub(super) struct ManifestResource {
    objects: Vec<Object>,
}

impl ManifestResource {
    pub(super) fn from_fields(fields: ManifestFields) -> Result<Self, ClusterKindError> {
        Ok(Self {
            objects: fields.objects.parse()?,
        })
    }
}

impl ClusterResource for ManifestResource {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async move {
            let differences = api.compare(&self.objects).await?;
            let Some(first) = differences.first() else {
                return Ok(Comparison::InSync);
            };
            let summary = match differences.len() - 1 {
                0 => format!("apply {}", first.id),
                more => format!("apply {} and {more} more", first.id),
            };
            let detail = differences.iter().flat_map(shown).collect();
            Ok(Comparison::Differs(Change::new(summary).with_detail(detail)))
        })
    }

    fn act<'a>(&'a self, api: &'a Api, say: ProgressSink<'a>) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move {
            for difference in api.apply(&self.objects).await? {
                say(difference.id.to_string());
            }
            Ok(())
        })
    }
}

/// A difference as a plan shows it.
pub(super) fn shown(difference: &Difference) -> Vec<String> {
    match &difference.kind {
        DifferenceKind::Missing => vec![format!("+{}", difference.id)],
        DifferenceKind::Changed { diff } => {
            let head = format!(" {}", difference.id);
            let lines = diff.lines().take(SHOWN).map(str::to_owned);
            std::iter::once(head).chain(lines).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn names(fields: Value) -> Result<Vec<Value>, String> {
        let fields = serde_json::from_value(fields).map_err(|error| error.to_string())?;
        let manifest = ManifestResource::from_fields(fields).map_err(|error| error.to_string())?;
        let names = manifest
            .objects
            .iter()
            .map(|object| object["metadata"]["name"].clone());
        Ok(names.collect())
    }

    #[test]
    fn one_text_or_several_hold_documents() {
        let pair = "metadata: { name: a }\n---\nmetadata: { name: b }\n---\n";
        assert_eq!(names(json!({"objects": pair})), Ok(vec!["a".into(), "b".into()]));
        let list = json!({"objects": [pair, "metadata: { name: c }"]});
        assert_eq!(names(list), Ok(vec!["a".into(), "b".into(), "c".into()]));
        assert!(names(json!({"objects": "a: ["})).is_err());
    }
}
