//! A StorageClass: ours as written, or one of somebody else that has to be there.

use std::time::Duration;

use futures::future::BoxFuture;
use serde::Deserialize;

use super::manifest::shown;
use super::{ClusterKindError, ClusterResource, ClusterStepError, ProgressSink};
use crate::cluster_api::{Api, Object, ObjectId};
use crate::resource::{Change, Comparison};
use crate::yaml;

/// Fields that the API server refuses to change. A class that differs in one is replaced; its volumes stay as they are.
const FIXED: [&str; 4] = ["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"];

/// How long a class may take to go: nothing holds it.
const GOING: Duration = Duration::from_secs(30);

/// What a playbook gives.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum StorageClassFields {
    /// The class as YAML.
    Object(String),
    /// The name of a class that others have made.
    Existing(String),
}

/// A StorageClass.
#[derive(Debug)]
pub(super) enum StorageClassResource {
    Ours { id: ObjectId, object: Object },
    Existing(ObjectId),
}

impl StorageClassResource {
    pub(super) fn from_fields(fields: StorageClassFields) -> Result<Self, ClusterKindError> {
        Ok(match fields {
            StorageClassFields::Existing(name) => {
                Self::Existing(ObjectId::new("storage.k8s.io/v1", "StorageClass", None, name))
            }
            StorageClassFields::Object(text) => {
                let object = yaml::manifests(&text)?.into_iter().next().unwrap_or_default();
                let id = ObjectId::from_object(&object)?;
                Self::Ours { id, object }
            }
        })
    }
}

/// Whether the live class differs where it can't be changed.
fn must_be_replaced(wanted: &Object, live: &Object) -> bool {
    FIXED.iter().any(|field| wanted[field] != live[field])
}

/// What a replacement changes, as a diff.
fn replacement(wanted: &Object, live: &Object) -> Vec<String> {
    let differing = FIXED.iter().filter(|field| wanted[**field] != live[**field]);
    let lines = differing.flat_map(|field| {
        [
            format!("-{field}: {}", live[field]),
            format!("+{field}: {}", wanted[field]),
        ]
    });
    lines.collect()
}

impl ClusterResource for StorageClassResource {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async move {
            let (id, object) = match self {
                Self::Ours { id, object } => (id, object),
                Self::Existing(id) => {
                    return Ok(match api.read(id).await? {
                        Some(_) => Comparison::InSync,
                        None => Comparison::Refused(format!(
                            "there is no {id}, and `storage.class.provisioner: none` says that others make it\n\
                             make the class, name one that `kubectl get storageclass` shows, or let a provisioner be installed"
                        )),
                    });
                }
            };
            if let Some(live) = api.read(id).await?.filter(|live| must_be_replaced(object, live)) {
                let change = Change::new(format!("replace {id}; volumes that it gave stay as they are"));
                return Ok(Comparison::Differs(
                    change.with_detail(replacement(object, &live)),
                ));
            }
            let differences = api.compare(std::slice::from_ref(object)).await?;
            if differences.is_empty() {
                return Ok(Comparison::InSync);
            }
            let detail = differences.iter().flat_map(shown).collect();
            Ok(Comparison::Differs(
                Change::new(format!("apply {id}")).with_detail(detail),
            ))
        })
    }

    fn act<'a>(
        &'a self,
        api: &'a Api,
        _say: ProgressSink<'a>,
    ) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move {
            // One of others is in sync or refused, and never made.
            let Self::Ours { id, object } = self else {
                return Ok(());
            };
            if api
                .read(id)
                .await?
                .is_some_and(|live| must_be_replaced(object, &live))
            {
                api.delete(id, GOING).await?;
            }
            api.apply(std::slice::from_ref(object)).await?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_class_is_replaced_only_for_what_can_not_be_changed() {
        let live = json!({"provisioner": "a", "parameters": {"server": "x"}, "reclaimPolicy": "Retain", "volumeBindingMode": "Immediate"});
        let mut wanted = live.clone();
        wanted["mountOptions"] = json!(["hard"]);
        assert!(!must_be_replaced(&wanted, &live));
        wanted["parameters"]["server"] = json!("y");
        assert_eq!(
            replacement(&wanted, &live),
            [r#"-parameters: {"server":"x"}"#, r#"+parameters: {"server":"y"}"#]
        );
    }
}
