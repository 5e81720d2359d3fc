//! Objects of the API as plain JSON, and what names one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::error::ApiError;

/// A manifest or a live object.
pub type Object = Value;

/// What names one object in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    /// `v1`, `apps/v1` …
    pub api_version: String,
    /// `DaemonSet` …
    pub kind: String,
    /// As written; a namespaced object without one goes to `default`.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectId {
    /// Names an object; `namespace` is that of a namespaced one.
    pub fn new(
        api_version: &str,
        kind: impl Into<String>,
        namespace: Option<&str>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.into(),
            namespace: namespace.map(str::to_owned),
            name: name.into(),
        }
    }

    /// Reads the identity of a manifest.
    pub fn from_object(object: &Object) -> Result<Self, ApiError> {
        let text = |value: &Value| value.as_str().filter(|s| !s.is_empty()).map(str::to_owned);
        let need = |value: &Value, field: &str| {
            text(value).ok_or_else(|| ApiError::NotAnObject(format!("no {field} in {}", brief(object))))
        };
        Ok(Self {
            api_version: need(&object["apiVersion"], "apiVersion")?,
            kind: need(&object["kind"], "kind")?,
            namespace: text(&object["metadata"]["namespace"]),
            name: need(&object["metadata"]["name"], "metadata.name")?,
        })
    }

    pub(super) fn is_crd(&self) -> bool {
        self.kind == "CustomResourceDefinition" && self.api_version.starts_with("apiextensions.k8s.io/")
    }

    pub(super) fn is_secret(&self) -> bool {
        self.kind == "Secret" && self.api_version == "v1"
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// The start of an object's text; nothing of a Secret beyond its head would fit.
fn brief(object: &Object) -> String {
    let mut text =
        json!({"kind": object["kind"], "metadata": {"name": object["metadata"]["name"]}}).to_string();
    if !object.is_object() {
        text = format!("a document that is not a mapping ({})", kind_of_json(object));
    }
    text
}

fn kind_of_json(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// The object as the API server stores it, where we know that it stores less or other than was written.
/// Without this, such an object would need a dry run on every comparison.
pub(super) fn normalised(object: &Object) -> Object {
    let mut object = object.clone();
    if let Some(top) = object.as_object_mut() {
        // Never a wish; only the server's controllers write it.
        top.remove("status");
    }
    match object["kind"].as_str() {
        Some("Secret") => encode_string_data(&mut object),
        Some("CustomResourceDefinition") if object["spec"]["preserveUnknownFields"] == false => {
            // The one value that version 1 of the API allows, and does not store.
            object["spec"]
                .as_object_mut()
                .map(|spec| spec.remove("preserveUnknownFields"));
        }
        _ => {}
    }
    object
}

fn encode_string_data(secret: &mut Object) {
    let Some(plain) = secret.as_object_mut().and_then(|o| o.remove("stringData")) else {
        return;
    };
    for (key, value) in plain.as_object().into_iter().flatten() {
        let encoded = BASE64.encode(value.as_str().unwrap_or_default());
        secret["data"][key] = encoded.into();
    }
}

/// Takes away what the server keeps for itself and what says nothing about the wish.
pub(super) fn without_bookkeeping(object: &Object) -> Object {
    let mut object = object.clone();
    if let Some(top) = object.as_object_mut() {
        top.remove("status");
    }
    let Some(metadata) = object["metadata"].as_object_mut() else {
        return object;
    };
    for field in [
        "managedFields",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "uid",
        "selfLink",
    ] {
        metadata.remove(field);
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        for name in [
            "kubectl.kubernetes.io/last-applied-configuration",
            "deprecated.daemonset.template.generation",
            "deployment.kubernetes.io/revision",
        ] {
            annotations.remove(name);
        }
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    object
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
    use super::*;

    #[test]
    fn an_identity_reads_like_kubectl_writes_it() {
        let object = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"namespace": "kube-system", "name": "x"}});
        assert_eq!(
            ObjectId::from_object(&object).unwrap().to_string(),
            "DaemonSet kube-system/x"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = ObjectId::from_object(&json!({"apiVersion": "v1", "kind": "Pod"})).unwrap_err();
        assert!(error.to_string().contains("no metadata.name in"), "{error}");
        let error = ObjectId::from_object(&json!("just text")).unwrap_err();
        assert!(error.to_string().contains("not a mapping (a string)"), "{error}");
    }

    #[test]
    fn what_is_never_stored_is_no_wish() {
        let crd = json!({"kind": "CustomResourceDefinition", "spec": {"preserveUnknownFields": false, "group": "g"}, "status": {}});
        assert_eq!(
            normalised(&crd),
            json!({"kind": "CustomResourceDefinition", "spec": {"group": "g"}})
        );
    }

    #[test]
    fn string_data_becomes_data() {
        let secret = json!({"kind": "Secret", "stringData": {"a": "b"}, "data": {"c": "ZA=="}});
        assert_eq!(
            normalised(&secret),
            json!({"kind": "Secret", "data": {"a": "Yg==", "c": "ZA=="}})
        );
    }
}
