//! Which configuration a running Jenkins has loaded.
//!
//! A pod reads its files when it starts, and again when it is told to. So it has loaded what is there now when it was made after the last
//! change, or when the mark that a reload leaves on it names what is there now. The mark goes with the pod, as it should.

use jiff::Timestamp;

use crate::cluster_api::Object;

/// Annotation of the pod: what was loaded last by a reload, as [`versions`] names it.
pub(super) const MARK: &str = "ci-bootstrap/loaded";

/// The objects that Jenkins reads, each at its version.
pub(super) fn versions(objects: &[Object]) -> String {
    let one = |object: &Object| {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        format!("{}@{}", text("uid"), text("resourceVersion"))
    };
    objects.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// Whether `pod` runs with these objects as they are now.
pub(super) fn is_loaded(pod: &Object, objects: &[Object]) -> bool {
    if pod["metadata"]["annotations"][MARK] == versions(objects) {
        return true;
    }
    let made = time(&pod["metadata"]["creationTimestamp"]);
    let changed = objects.iter().filter_map(last_change).max();
    // Times are whole seconds: in the second of its change an object is older than a pod, which takes longer to start.
    made.is_some() && made >= changed
}

/// When an object was last written by anybody.
fn last_change(object: &Object) -> Option<Timestamp> {
    let writers = object["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten();
    let written = writers.filter_map(|writer| time(&writer["time"])).max();
    written.or_else(|| time(&object["metadata"]["creationTimestamp"]))
}

fn time(value: &Object) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// Whether the pod's containers are ready.
pub(super) fn is_ready(pod: &Object) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions
        .filter(|condition| condition["type"] == "Ready")
        .any(|condition| condition["status"] == "True");
    ready && pod["metadata"]["deletionTimestamp"].is_null()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(written: &str) -> Object {
        json!({"metadata": {"uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-11-21T09:00:00Z",
            "managedFields": [{"time": "2026-11-21T09:00:00Z"}, {"time": written}]}})
    }

    #[test]
    fn a_pod_that_is_younger_than_the_last_change_has_loaded_it() {
        let pod = json!({"metadata": {"creationTimestamp": "2026-11-21T10:00:00Z"}});
        assert!(is_loaded(&pod, &[object("2026-11-21T09:59:59Z")]));
        assert!(!is_loaded(
            &pod,
            &[object("2026-11-21T09:59:59Z"), object("2026-11-21T10:00:01Z")]
        ));
        assert!(!is_loaded(&json!({}), &[object("2026-11-21T09:59:59Z")]));
    }

    #[test]
    fn a_reload_is_known_by_its_mark() {
        let pod = |mark: &str| json!({"metadata": {"creationTimestamp": "2026-11-21T08:00:00Z", "annotations": {MARK: mark}}});
        let objects = [object("2026-11-21T10:00:00Z")];
        assert!(is_loaded(&pod("u@7"), &objects));
        assert!(!is_loaded(&pod("u@6"), &objects));
    }
}
