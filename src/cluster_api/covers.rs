//! The cheap half of a comparison: is a wish already fulfilled, as far as its own text tells?
//!
//! Both functions may be wrong in one direction only: what they doubt is decided by a dry run of the API server.

use serde_json::{Map, Value};

use super::MANAGER;

/// Whether every field of `wanted` stands in `live` with the same value, list items at the same place.
pub(super) fn covers(wanted: &Value, live: &Value) -> bool {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => wanted
            .iter()
            .filter(|(_, value)| !value.is_null())
            .all(|(key, value)| live.get(key).is_some_and(|live| covers(value, live))),
        (Value::Array(wanted), Value::Array(live)) => {
            wanted.len() == live.len() && wanted.iter().zip(live).all(|(wanted, live)| covers(wanted, live))
        }
        _ => wanted == live,
    }
}

/// Whether an earlier apply of ours set something in `live` that `wanted` no longer names, which an apply would remove.
pub(super) fn leaves_behind(wanted: &Value, live: &Value) -> bool {
    let entries = live["metadata"]["managedFields"].as_array();
    entries
        .into_iter()
        .flatten()
        .filter(|entry| entry["manager"] == MANAGER && entry["operation"] == "Apply")
        .filter_map(|entry| entry["fieldsV1"].as_object())
        .any(|fields| owns_more(fields, wanted, live))
}

/// Walks a `fieldsV1` set: `f:` is a field, `k:` the keys of a list item, `v:` a value in a set, `.` the thing itself.
/// What is owned and not there (such as `preserveUnknownFields: false`, which is never stored) leaves nothing behind.
fn owns_more(fields: &Map<String, Value>, wanted: &Value, live: &Value) -> bool {
    fields.iter().any(|(key, below)| {
        let Some(live) = step(key, live) else {
            return false;
        };
        match (step(key, wanted), below.as_object()) {
            (None, _) => true,
            (Some(wanted), Some(below)) => owns_more(below, wanted, live),
            (Some(_), None) => false,
        }
    })
}

/// One step of a `fieldsV1` path down into an object.
fn step<'a>(key: &str, object: &'a Value) -> Option<&'a Value> {
    match key.split_once(':')? {
        ("f", name) => object.get(name).filter(|value| !value.is_null()),
        ("k", keys) => item_with(object, keys),
        ("v", value) => set_member(object, value),
        _ => None,
    }
}

fn item_with<'a>(list: &'a Value, keys: &str) -> Option<&'a Value> {
    let keys: Map<String, Value> = serde_json::from_str(keys).ok()?;
    // A key that the item leaves out was filled in by a default, such as a port's protocol.
    let matches = |item: &&Value| {
        keys.iter()
            .all(|(key, value)| item.get(key).is_none_or(|own| own == value))
    };
    list.as_array()?.iter().find(matches)
}

fn set_member<'a>(list: &'a Value, value: &str) -> Option<&'a Value> {
    let value: Value = serde_json::from_str(value).ok()?;
    list.as_array()?.iter().find(|item| **item == value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_added_by_the_server_are_no_difference() {
        let wanted = json!({"spec": {"containers": [{"name": "a", "image": "x"}], "hostname": null}});
        let live = json!({"spec": {"containers": [{"name": "a", "image": "x", "imagePullPolicy": "Always"}], "dnsPolicy": "ClusterFirst"}});
        assert!(covers(&wanted, &live));
        assert!(!covers(&live, &wanted));
    }

    #[test]
    fn the_order_of_arguments_is_a_difference() {
        assert!(!covers(&json!(["a", "b"]), &json!(["b", "a"])));
        assert!(!covers(&json!(["a"]), &json!(["a", "b"])));
    }

    fn applied(fields: &Value, mut live: Value) -> Value {
        live["metadata"] = json!({"managedFields": [
            {"manager": "kubelet", "operation": "Apply", "fieldsV1": {"f:foreign": {}}},
            {"manager": MANAGER, "operation": "Apply", "fieldsV1": fields},
        ]});
        live["foreign"] = 1.into();
        live
    }

    #[test]
    fn a_dropped_variable_is_left_behind() {
        let fields = json!({"f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}}});
        let live = applied(&fields, json!({"env": [{"name": "A", "value": "1"}]}));
        assert!(!leaves_behind(
            &json!({"env": [{"name": "A", "value": "1"}]}),
            &live
        ));
        assert!(leaves_behind(
            &json!({"env": [{"name": "B", "value": "1"}]}),
            &live
        ));
        assert!(leaves_behind(&json!({"env": [{"name": "A"}]}), &live));
    }

    #[test]
    fn what_is_owned_but_was_never_stored_is_not_left_behind() {
        let live = applied(&json!({"f:preserveUnknownFields": {}}), json!({}));
        assert!(!leaves_behind(&json!({}), &live));
    }

    #[test]
    fn a_defaulted_list_key_is_still_ours() {
        let fields = json!({"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {"f:port": {}}}});
        let live = applied(&fields, json!({"ports": [{"port": 80, "protocol": "TCP"}]}));
        assert!(!leaves_behind(&json!({"ports": [{"port": 80}]}), &live));
        assert!(leaves_behind(&json!({"ports": [{"port": 81}]}), &live));
    }

    #[test]
    fn a_dropped_set_member_is_left_behind() {
        let live = applied(
            &json!({"f:finalizers": {"v:\"x\"": {}}}),
            json!({"finalizers": ["x"]}),
        );
        assert!(!leaves_behind(&json!({"finalizers": ["x"]}), &live));
        assert!(leaves_behind(&json!({"finalizers": ["y"]}), &live));
    }
}
