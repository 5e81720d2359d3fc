//! Filters of templates: YAML in a value, pods, and templates that users bring along.

use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, State, Value, context};

use crate::yaml;

/// Adds `text | fromyaml`, `value | toyaml`, `value | merged(patch)`, `pod | without_nulls`, `pod | pulled_anew(images)`,
/// `text | rendered` and `list | prefixed(text)`.
pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("fromyaml", from_yaml);
    environment.add_filter("toyaml", to_yaml);
    environment.add_filter("merged", merged);
    environment.add_filter("without_nulls", without_nulls);
    environment.add_filter("pulled_anew", pulled_anew);
    environment.add_filter("rendered", rendered);
    environment.add_filter("prefixed", prefixed);
}

/// The items of a list, each with a text before it.
fn prefixed(list: &Value, text: &str) -> Result<Value, Error> {
    Ok(list.try_iter()?.map(|item| format!("{text}{item}")).collect())
}

fn refused(reason: &impl ToString) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.to_string())
}

/// The first document of a YAML text.
fn from_yaml(text: &str) -> Result<Value, Error> {
    let documents = yaml::manifests(text).map_err(|error| refused(&error))?;
    let first = documents.into_iter().next();
    Ok(Value::from(Serde(first.unwrap_or_default())))
}

fn to_yaml(value: &Value) -> Result<String, Error> {
    yaml::emit(&json(value)?).map_err(|error| refused(&error))
}

/// A value changed by a merge patch (RFC 7396): mappings are merged, `null` takes a key out, everything else is replaced.
fn merged(value: &Value, patch: &Value) -> Result<Value, Error> {
    let mut value = json(value)?;
    merge(&mut value, json(patch)?);
    Ok(Value::from(Serde(value)))
}

fn json(value: &Value) -> Result<serde_json::Value, Error> {
    serde_json::to_value(value).map_err(|error| refused(&error))
}

/// The keys that stay keep their order, which the crate json-patch would change.
fn merge(value: &mut serde_json::Value, patch: serde_json::Value) {
    let serde_json::Value::Object(patch) = patch else {
        *value = patch;
        return;
    };
    if !value.is_object() {
        *value = serde_json::Value::Object(serde_json::Map::new());
    }
    let Some(fields) = value.as_object_mut() else {
        return;
    };
    for (key, patch) in patch {
        if patch.is_null() {
            fields.shift_remove(&key);
        } else {
            merge(fields.entry(key).or_insert(serde_json::Value::Null), patch);
        }
    }
}

/// A value without the keys that have none. To Kubernetes they say nothing; Jenkins dies of a list that is `null`, such as the
/// `initContainers:` of a user's template with nothing below.
fn without_nulls(value: &Value) -> Result<Value, Error> {
    let mut value = json(value)?;
    drop_nulls(&mut value);
    Ok(Value::from(Serde(value)))
}

fn drop_nulls(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// A pod that asks the registry for these images at each start, where it does not say otherwise: their tags move.
fn pulled_anew(pod: &Value, images: &Value) -> Result<Value, Error> {
    let (mut pod, images) = (json(pod)?, json(images)?);
    let images: Vec<_> = images.as_array().into_iter().flatten().collect();
    for field in ["initContainers", "containers"] {
        // Indexing would put in a key that is missing, and a list that is `null` ends every launch in Jenkins.
        let found = pod.get_mut("spec").and_then(|spec| spec.get_mut(field));
        let containers = found.and_then(serde_json::Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let moves = container
                .get("image")
                .is_some_and(|image| images.contains(&image));
            if moves
                && container
                    .get("imagePullPolicy")
                    .is_none_or(serde_json::Value::is_null)
            {
                container["imagePullPolicy"] = "Always".into();
            }
        }
    }
    Ok(Value::from(Serde(pod)))
}

/// A text of the user's as a template, which sees what the built-in template in its place would see.
fn rendered(state: &State<'_, '_>, text: &str) -> Result<String, Error> {
    let agent = state.lookup("agent").unwrap_or_default();
    let name = agent
        .get_attr("name")
        .map(|name| name.to_string())
        .unwrap_or_default();
    let cluster = state.lookup("cluster").unwrap_or_default();
    let values = context! { agent, cluster };
    state
        .env()
        .render_named_str(&format!("template of the agents {name}"), text, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_patch_merges_replaces_and_takes_out() {
        let mut value = json!({"a": {"b": 1, "c": 2}, "list": [1, 2], "gone": {"x": 1}});
        merge(
            &mut value,
            json!({"a": {"c": 3, "d": {"e": null}}, "list": [3], "gone": null}),
        );
        assert_eq!(value, json!({"a": {"b": 1, "c": 3, "d": {}}, "list": [3]}));
    }

    #[test]
    fn only_images_that_move_are_pulled_anew() {
        let pod = json!({"spec": {"containers": [{"image": "a:1"}, {"image": "b:1"}, {"image": "a:1", "imagePullPolicy": "Never"}]}});
        let pulled = pulled_anew(&Value::from(Serde(pod)), &Value::from(Serde(json!(["a:1"]))))
            .and_then(|pod| json(&pod));
        let expected = json!([{"image": "a:1", "imagePullPolicy": "Always"}, {"image": "b:1"}, {"image": "a:1", "imagePullPolicy": "Never"}]);
        assert_eq!(
            pulled.map(|pod| pod["spec"]["containers"].clone()).ok(),
            Some(expected)
        );
    }

    #[test]
    fn keys_without_a_value_go() {
        let mut pod =
            json!({"spec": {"initContainers": null, "containers": [{"name": "a", "env": null, "args": []}]}});
        drop_nulls(&mut pod);
        assert_eq!(pod, json!({"spec": {"containers": [{"name": "a", "args": []}]}}));
    }

    #[test]
    fn a_pod_gets_no_keys_that_it_did_not_have() {
        for pod in [
            json!({"spec": {"containers": [{"name": "jnlp"}]}}),
            json!({"spec": {}}),
            json!({"kind": "Pod"}),
            json!(null),
        ] {
            let pulled = pulled_anew(
                &Value::from(Serde(pod.clone())),
                &Value::from(Serde(json!(["a:1"]))),
            );
            let pulled = pulled.and_then(|pod| json(&pod));
            assert_eq!(pulled.ok(), Some(pod));
        }
    }

    #[test]
    fn templates_of_users_see_the_agent_and_extend_ours() {
        let mut environment = Environment::new();
        add(&mut environment);
        let base = "image: {% block image %}a{% endblock %}";
        assert!(environment.add_template("base", base).is_ok());
        let own = "{% extends 'base' %}{% block image %}{{ agent.image }}{% endblock %}";
        let made = environment.render_str(
            "{{ (text | rendered | fromyaml).image }}",
            context! { text => own, agent => context! { image => "mine" }, cluster => 1 },
        );
        assert_eq!(made.unwrap_or_else(|error| error.to_string()), "mine");
    }
}
