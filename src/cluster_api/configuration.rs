//! The configuration that kubeadm keeps in the cluster.

use serde_json::{Value, json};

use super::call::ApiCall;
use super::client::Api;
use super::covers::covers;
use super::error::ApiError;
use super::object::ObjectId;
use super::{MANAGER, diff, sha256};
use crate::yaml;

/// A configuration in a `ConfigMap` of `kube-system`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KubeadmConfiguration {
    /// kubeadm's `ClusterConfiguration`.
    Cluster,
    /// `KubeProxyConfiguration`.
    KubeProxy,
    /// `KubeletConfiguration` that joining nodes take.
    Kubelet,
}

/// Where the restart of kube-proxy for its newest configuration is recorded.
const RESTARTED_FOR: &str = "ci-bootstrap/configuration";
/// How often an edit is tried when somebody else writes the configuration meanwhile.
const ATTEMPTS: usize = 5;
const KUBE_PROXY: &str = "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy";

impl KubeadmConfiguration {
    /// Name of the `ConfigMap`, and the key in it.
    fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Cluster => ("kubeadm-config", "ClusterConfiguration"),
            Self::KubeProxy => ("kube-proxy", "config.conf"),
            Self::Kubelet => ("kubelet-config", "kubelet"),
        }
    }

    /// The fields that differ between two states of the configuration, as lines with `-` and `+`.
    #[must_use]
    pub fn difference(self, before: &Value, after: &Value) -> String {
        let id = ObjectId::new("v1", "ConfigMap", Some("kube-system"), self.place().0);
        diff::render(&id, before, after)
    }

    fn path(self) -> String {
        format!("/api/v1/namespaces/kube-system/configmaps/{}", self.place().0)
    }
}

impl Api {
    /// A configuration as kubeadm keeps it, `None` where there is none.
    pub async fn configuration(&self, which: KubeadmConfiguration) -> Result<Option<Value>, ApiError> {
        let map = self
            .json_opt(ApiCall::get(which.path()))
            .await
            .map_err(|e| e.during(title(which)))?;
        map.map(|map| parsed(which, &map))
            .transpose()
            .map_err(|e| e.during(title(which)))
    }

    /// Puts into a configuration what `edit` makes of it, unless somebody else has written it meanwhile: then of what it is by now. What
    /// `edit` leaves as it is, or a configuration that is missing, is not written.
    ///
    /// # Errors
    /// When it can't be read or written, or others go on writing it.
    pub async fn edit_configuration(
        &self,
        which: KubeadmConfiguration,
        edit: &(dyn Fn(&Value) -> Value + Send + Sync),
    ) -> Result<(), ApiError> {
        for attempt in 1.. {
            match self.try_edit(which, edit).await {
                Err(error) if error.is_conflict() && attempt < ATTEMPTS => {}
                answer => return answer.map_err(|e| e.during(title(which))),
            }
        }
        Ok(())
    }

    async fn try_edit(
        &self,
        which: KubeadmConfiguration,
        edit: &(dyn Fn(&Value) -> Value + Send + Sync),
    ) -> Result<(), ApiError> {
        let Some(map) = self.json_opt(ApiCall::get(which.path())).await? else {
            return Ok(());
        };
        let live = parsed(which, &map)?;
        let after = edit(&live);
        if after == live {
            return Ok(());
        }
        let text = yaml::emit(&after).map_err(|e| ApiError::NotAnObject(e.to_string()))?;
        let version = &map["metadata"]["resourceVersion"];
        let body = json!({"metadata": {"resourceVersion": version}, "data": {which.place().1: text}});
        let path = format!("{}?fieldManager={MANAGER}", which.path());
        self.text(ApiCall::merge(path, &body)).await.map(drop)
    }

    /// What [`Api::apply_kube_proxy`] would change, a paragraph each: fields of `wanted` that the configuration does not
    /// have, and pods that were not restarted since it changed.
    pub async fn compare_kube_proxy(&self, wanted: &Value) -> Result<Vec<String>, ApiError> {
        let seen = self
            .kube_proxy(wanted)
            .await
            .map_err(|e| e.during(title(KubeadmConfiguration::KubeProxy)))?;
        Ok(seen.differences)
    }

    /// Puts the fields of `wanted` into kube-proxy's configuration, leaving the others, and restarts its pods one after
    /// the other if it changed. Returns what was different.
    pub async fn apply_kube_proxy(&self, wanted: &Value) -> Result<Vec<String>, ApiError> {
        let applied = async {
            let seen = self.kube_proxy(wanted).await?;
            if let Some(text) = &seen.new_text {
                let body = json!({"data": {KubeadmConfiguration::KubeProxy.place().1: text}});
                let path = format!(
                    "{}?fieldManager={MANAGER}",
                    KubeadmConfiguration::KubeProxy.path()
                );
                self.text(ApiCall::merge(path, &body)).await?;
            }
            if !seen.differences.is_empty() {
                let restarted = json!({"metadata": {"annotations": {RESTARTED_FOR: seen.sum}}});
                let body = json!({"spec": {"template": restarted}});
                self.text(ApiCall::merge(
                    format!("{KUBE_PROXY}?fieldManager={MANAGER}"),
                    &body,
                ))
                .await?;
            }
            Ok(seen.differences)
        };
        applied
            .await
            .map_err(|e: ApiError| e.during(title(KubeadmConfiguration::KubeProxy)))
    }

    async fn kube_proxy(&self, wanted: &Value) -> Result<KubeProxyDifference, ApiError> {
        let (map, daemons) = futures::try_join!(
            self.json(ApiCall::get(KubeadmConfiguration::KubeProxy.path())),
            self.json(ApiCall::get(KUBE_PROXY)),
        )?;
        KubeProxyDifference::of(&map, &daemons, wanted)
    }
}

/// kube-proxy's configuration against what is wanted.
struct KubeProxyDifference {
    differences: Vec<String>,
    /// The new configuration, where it must change.
    new_text: Option<String>,
    /// Sum of the configuration that the pods must have been started with.
    sum: String,
}

impl KubeProxyDifference {
    fn of(map: &Value, daemons: &Value, wanted: &Value) -> Result<Self, ApiError> {
        let live = parsed(KubeadmConfiguration::KubeProxy, map)?;
        let mut differences = Vec::new();
        let mut new_text = None;
        let mut sum = sha256::hex(text(KubeadmConfiguration::KubeProxy, map).as_bytes());
        if !covers(wanted, &live) {
            let mut after = live.clone();
            merge(&mut after, wanted);
            differences.push(diff::render(&ObjectId::from_object(map)?, &live, &after));
            let text = yaml::emit(&after).map_err(|e| ApiError::NotAnObject(e.to_string()))?;
            sum = sha256::hex(text.as_bytes());
            new_text = Some(text);
        }
        let restarted = &daemons["spec"]["template"]["metadata"]["annotations"][RESTARTED_FOR];
        // Until we change it, the pods run with what kubeadm gave them.
        if new_text.is_none() && changed_by_us(map) && *restarted != sum.as_str() {
            differences.push("kube-proxy runs with an older configuration: restart its pods".to_owned());
        }
        Ok(Self {
            differences,
            new_text,
            sum,
        })
    }
}

fn changed_by_us(object: &Value) -> bool {
    let managers = object["metadata"]["managedFields"].as_array();
    managers
        .into_iter()
        .flatten()
        .any(|entry| entry["manager"] == MANAGER)
}

fn title(which: KubeadmConfiguration) -> String {
    let (name, key) = which.place();
    format!("{key} in ConfigMap kube-system/{name}")
}

fn text(which: KubeadmConfiguration, map: &Value) -> &str {
    map["data"][which.place().1].as_str().unwrap_or_default()
}

fn parsed(which: KubeadmConfiguration, map: &Value) -> Result<Value, ApiError> {
    let documents = yaml::manifests(text(which, map)).map_err(|e| ApiError::NotAnObject(e.to_string()))?;
    let first = documents.into_iter().next();
    first.ok_or_else(|| ApiError::NotAnObject("it is empty".into()))
}

/// Puts the fields of `wanted` over those of `live`; lists are replaced.
fn merge(live: &mut Value, wanted: &Value) {
    match (live.as_object_mut(), wanted.as_object()) {
        (Some(live), Some(wanted)) => {
            for (key, value) in wanted {
                merge(live.entry(key).or_insert(Value::Null), value);
            }
        }
        _ => *live = wanted.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
    use super::*;

    fn seen(config: &str, ours: bool, restarted_for: &str) -> KubeProxyDifference {
        let manager = if ours { MANAGER } else { "kubeadm" };
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "kube-proxy", "managedFields": [{"manager": manager}]}, "data": {"config.conf": config}});
        let daemons =
            json!({"spec": {"template": {"metadata": {"annotations": {RESTARTED_FOR: restarted_for}}}}});
        KubeProxyDifference::of(
            &map,
            &daemons,
            &json!({"mode": "nftables", "conntrack": {"min": 0}}),
        )
        .unwrap()
    }

    #[test]
    fn only_the_named_fields_change() {
        let found = seen(
            "kind: KubeProxyConfiguration\nmode: iptables\nconntrack:\n  maxPerCore: 0\n",
            false,
            "",
        );
        assert_eq!(
            found.differences,
            ["mode\n-   \"iptables\"\n+   \"nftables\"\nconntrack.min\n+   0\n"]
        );
        let text = found.new_text.unwrap();
        let after = yaml::manifests(&text).unwrap();
        let expected = json!({"kind": "KubeProxyConfiguration", "mode": "nftables", "conntrack": {"maxPerCore": 0, "min": 0}});
        assert_eq!(after, [expected]);
        assert!(seen(&text, false, "").differences.is_empty());
    }

    #[test]
    fn a_restart_that_was_missed_is_made_up_for() {
        let config = "mode: nftables\nconntrack: {min: 0}\n";
        assert_eq!(seen(config, true, "").differences.len(), 1);
        assert!(seen(config, false, "").differences.is_empty());
        let sum = sha256::hex(config.as_bytes());
        assert!(seen(config, true, &sum).differences.is_empty());
    }
}
