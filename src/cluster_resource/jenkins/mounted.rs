//! The files that a pod sees of `ConfigMap`s and Secrets: a node brings changes into them in its own time.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

use crate::cluster_api::Object;

/// SHA-256 by path of each file that `container` of the pod shall see of these objects; objects that it does not mount
/// have none.
pub(super) fn wanted(pod: &Object, container: &str, objects: &[Object]) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for object in objects {
        for (folder, source) in mounts(pod, container, object) {
            for (key, bytes) in content(object) {
                if let Some(path) = path_of(source, key) {
                    files.insert(format!("{folder}/{path}"), hex::encode(Sha256::digest(&bytes)));
                }
            }
        }
    }
    files
}

/// The files among the wanted ones that `sha256sum` found otherwise, or not at all.
pub(super) fn behind(wanted: &BTreeMap<String, String>, printed: &str) -> Vec<String> {
    let found: BTreeMap<_, _> = printed
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(sum, path)| (path.trim(), sum.trim()))
        .collect();
    let differs = |(path, sum): &(&String, &String)| found.get(path.as_str()) != Some(&sum.as_str());
    wanted
        .iter()
        .filter(differs)
        .map(|(path, _)| path.clone())
        .collect()
}

/// The folders in which the container sees the object, each with the volume's word about it. A single file (`subPath`) never
/// changes in a running pod.
fn mounts<'a>(pod: &'a Object, container: &str, object: &Object) -> Vec<(String, &'a Object)> {
    let container = items(&pod["spec"]["containers"]).find(|found| found["name"] == container);
    let all = container
        .into_iter()
        .flat_map(|container| items(&container["volumeMounts"]));
    let mut found = Vec::new();
    for mount in all.filter(|mount| mount["subPath"].is_null()) {
        let folder = mount["mountPath"]
            .as_str()
            .unwrap_or_default()
            .trim_end_matches('/');
        let volumes = items(&pod["spec"]["volumes"]).filter(|volume| volume["name"] == mount["name"]);
        let sources =
            volumes.flat_map(|volume| std::iter::once(volume).chain(items(&volume["projected"]["sources"])));
        found.extend(sources.filter_map(|source| Some((folder.to_owned(), word_about(source, object)?))));
    }
    found
}

/// What a volume or one source of it says about the object.
fn word_about<'a>(source: &'a Object, object: &Object) -> Option<&'a Object> {
    let secret = object["kind"] == "Secret";
    let word = if secret {
        &source["secret"]
    } else {
        &source["configMap"]
    };
    let name = &object["metadata"]["name"];
    (word["name"] == *name || secret && word["secretName"] == *name).then_some(word)
}

/// Under which path a key shows, `None` where only others are asked for.
fn path_of<'a>(word: &'a Object, key: &'a str) -> Option<&'a str> {
    match word["items"].as_array() {
        None => Some(key),
        Some(items) => items.iter().find(|item| item["key"] == *key)?["path"].as_str(),
    }
}

fn items(list: &Object) -> impl Iterator<Item = &Object> {
    list.as_array().into_iter().flatten()
}

fn content(object: &Object) -> impl Iterator<Item = (&String, Vec<u8>)> {
    let secret = object["kind"] == "Secret";
    let entries = object["data"].as_object().into_iter().flatten();
    entries.filter_map(move |(key, value)| {
        let text = value.as_str()?;
        let bytes = if secret {
            BASE64.decode(text).ok()?
        } else {
            text.as_bytes().to_vec()
        };
        Some((key, bytes))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn files_are_found_by_volume_and_mount() {
        let pod = json!({"spec": {
            "volumes": [
                {"name": "c", "configMap": {"name": "jenkins"}},
                {"name": "s", "projected": {"sources": [{"secret": {"name": "admin", "items": [{"key": "password", "path": "admin/password"}]}}]}},
                {"name": "x", "secret": {"secretName": "other"}}],
            "containers": [{"name": "jenkins", "volumeMounts": [
                {"name": "c", "mountPath": "/etc/jenkins/"}, {"name": "s", "mountPath": "/run/secrets"},
                {"name": "c", "mountPath": "/one", "subPath": "a.yaml"}]}]}});
        let objects = [
            json!({"kind": "ConfigMap", "metadata": {"name": "jenkins"}, "data": {"a.yaml": "a"}}),
            json!({"kind": "Secret", "metadata": {"name": "admin"}, "data": {"password": "YQ==", "unseen": "YQ=="}}),
        ];
        let wanted = wanted(&pod, "jenkins", &objects);
        let sum = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
        let expected = ["/etc/jenkins/a.yaml", "/run/secrets/admin/password"]
            .map(|path| (path.to_owned(), sum.to_owned()));
        assert_eq!(wanted, expected.into());
        let printed = format!("{sum}  /etc/jenkins/a.yaml\n0000  /run/secrets/admin/password\n");
        assert_eq!(behind(&wanted, &printed), ["/run/secrets/admin/password"]);
    }
}
