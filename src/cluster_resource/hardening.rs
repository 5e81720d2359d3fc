//! Hardening in the configuration that kubeadm keeps in the cluster: only its own fields are set and taken out.

use serde_json::{Map, Value};

use crate::cluster_api::KubeadmConfiguration;
use crate::model::{Cluster, HardeningFields};

/// The argument by which a cluster is known whose control planes `cluster.hardening: cis` has set up.
const AUDIT_POLICY: &str = "audit-policy-file";
/// The lists of a component that hardening has entries in. An entry is known by its `name`.
const LISTS: [&str; 2] = ["extraArgs", "extraVolumes"];

/// What the inventory says about hardening.
#[derive(Debug, Clone)]
pub(super) struct Hardening {
    hardened: bool,
    fields: HardeningFields,
}

impl Hardening {
    pub(super) fn from_cluster(cluster: &Cluster) -> Self {
        Self {
            hardened: cluster.is_hardened(),
            fields: cluster.hardening_fields.clone(),
        }
    }

    /// One line for people: what an edit does.
    pub(super) const fn summary(&self) -> &'static str {
        if self.hardened {
            "harden the configuration of the control planes and of kubelet"
        } else {
            "take hardening out of the configuration of the control planes and of kubelet"
        }
    }

    /// A configuration as it shall be, all else in it unchanged. One that is missing stays so.
    pub(super) fn edited(&self, which: KubeadmConfiguration, live: &Value) -> Value {
        match (which, live.is_object()) {
            (KubeadmConfiguration::Cluster, true) => self.edited_components(live),
            (KubeadmConfiguration::Kubelet, true) => self.edited_kubelet(live),
            _ => live.clone(),
        }
    }

    fn edited_components(&self, live: &Value) -> Value {
        let components = &self.fields.components;
        if !self.hardened && !has_all(&live["apiServer"]["extraArgs"], &marker(components)) {
            return live.clone();
        }
        if !fields(components).all(|(component, _)| is_editable(&live[component], &LISTS)) {
            return live.clone();
        }
        let mut edited = live.clone();
        for (component, lists) in fields(components) {
            for list in LISTS {
                let ours = lists[list].as_array().map_or(&[][..], Vec::as_slice);
                let entries = take_entries(&mut edited[component], list);
                let entries = if self.hardened {
                    with(entries, ours)
                } else {
                    without(entries, ours)
                };
                put_entries(&mut edited[component], list, entries);
            }
            if edited[component].is_null()
                && let Some(fields) = edited.as_object_mut()
            {
                fields.shift_remove(component);
            }
        }
        edited
    }

    /// Fields of kubelet that all have our values were set by us; with one of another value somebody else has decided.
    fn edited_kubelet(&self, live: &Value) -> Value {
        let mut edited = live.clone();
        let ours = self.fields.kubelet.as_object();
        let Some((fields, ours)) = edited.as_object_mut().zip(ours) else {
            return edited;
        };
        if self.hardened {
            fields.extend(ours.clone());
        } else if ours.iter().all(|(name, value)| fields.get(name) == Some(value)) {
            fields.retain(|name, _| !ours.contains_key(name));
        }
        edited
    }
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// The entry of the audit policy.
fn marker(components: &Value) -> Vec<Value> {
    let arguments = components["apiServer"]["extraArgs"].as_array();
    let arguments = arguments.into_iter().flatten();
    arguments
        .filter(|argument| argument["name"] == AUDIT_POLICY)
        .cloned()
        .collect()
}

fn has_all(list: &Value, wanted: &[Value]) -> bool {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    wanted.iter().all(|entry| list.contains(entry))
}

/// Whether a component is as kubeadm writes it in `v1beta4`: a mapping whose lists are lists. Others are left as they are.
fn is_editable(component: &Value, lists: &[&str]) -> bool {
    component.is_null()
        || component.is_object()
            && lists
                .iter()
                .all(|list| matches!(component.get(*list), None | Some(Value::Null | Value::Array(_))))
}

fn take_entries(component: &mut Value, list: &str) -> Vec<Value> {
    match component.get_mut(list).map(Value::take) {
        Some(Value::Array(entries)) => entries,
        _ => Vec::new(),
    }
}

fn put_entries(component: &mut Value, list: &str, entries: Vec<Value>) {
    if !entries.is_empty() {
        component[list] = entries.into();
    } else if let Some(fields) = component.as_object_mut() {
        fields.shift_remove(list);
    }
}

/// The entries with ours: one that has the name of ours and says otherwise gives way.
fn with(mut entries: Vec<Value>, ours: &[Value]) -> Vec<Value> {
    for own in ours {
        if entries
            .iter()
            .filter(|entry| entry["name"] == own["name"])
            .ne([own])
        {
            entries.retain(|entry| entry["name"] != own["name"]);
            entries.push(own.clone());
        }
    }
    entries
}

/// The entries without ours; one that has a name of ours and says otherwise is somebody else's.
fn without(mut entries: Vec<Value>, ours: &[Value]) -> Vec<Value> {
    entries.retain(|entry| !ours.contains(entry));
    entries
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hardening(hardened: bool) -> Hardening {
        Hardening {
            hardened,
            fields: HardeningFields {
                components: json!({
                    "apiServer": {
                        "extraArgs": [{"name": "profiling", "value": "false"}, {"name": "audit-policy-file", "value": "/p"}],
                        "extraVolumes": [{"name": "audit-policy", "hostPath": "/p"}],
                    },
                    "scheduler": {"extraArgs": [{"name": "profiling", "value": "false"}]},
                }),
                kubelet: json!({"seccompDefault": true, "podPidsLimit": 4096}),
            },
        }
    }

    fn plain() -> Value {
        json!({
            "clusterName": "ci",
            "apiServer": {"certSANs": ["a"], "extraArgs": [{"name": "oidc-issuer-url", "value": "https://id"}]},
            "scheduler": {},
        })
    }

    #[test]
    fn hardening_goes_on_and_off_and_leaves_what_the_site_has_set() {
        let on = hardening(true).edited(KubeadmConfiguration::Cluster, &plain());
        assert_eq!(
            on,
            json!({
                "clusterName": "ci",
                "apiServer": {
                    "certSANs": ["a"],
                    "extraArgs": [
                        {"name": "oidc-issuer-url", "value": "https://id"},
                        {"name": "profiling", "value": "false"},
                        {"name": "audit-policy-file", "value": "/p"},
                    ],
                    "extraVolumes": [{"name": "audit-policy", "hostPath": "/p"}],
                },
                "scheduler": {"extraArgs": [{"name": "profiling", "value": "false"}]},
            })
        );
        assert_eq!(hardening(true).edited(KubeadmConfiguration::Cluster, &on), on);
        assert_eq!(
            hardening(false).edited(KubeadmConfiguration::Cluster, &on),
            plain()
        );
    }

    #[test]
    fn what_kubeadm_would_not_write_is_left_alone() {
        for odd in [
            json!({"apiServer": "text"}),
            json!({"scheduler": []}),
            json!({"apiServer": {"extraArgs": {"v": "2"}}}),
        ] {
            assert_eq!(hardening(true).edited(KubeadmConfiguration::Cluster, &odd), odd);
        }
    }

    #[test]
    fn an_argument_that_says_otherwise_gives_way_and_comes_once() {
        let mut live = plain();
        live["apiServer"]["extraArgs"] =
            json!([{"name": "profiling", "value": "true"}, {"name": "profiling", "value": "false"}]);
        let on = hardening(true).edited(KubeadmConfiguration::Cluster, &live);
        assert_eq!(
            on["apiServer"]["extraArgs"],
            json!([{"name": "profiling", "value": "false"}, {"name": "audit-policy-file", "value": "/p"}])
        );
    }

    #[test]
    fn what_a_site_has_hardened_itself_stays_without_hardening() {
        let mut live = plain();
        live["apiServer"]["extraArgs"] =
            json!([{"name": "profiling", "value": "false"}, {"name": "audit-policy-file", "value": "/srv"}]);
        assert_eq!(
            hardening(false).edited(KubeadmConfiguration::Cluster, &live),
            live
        );
        let kubelet = json!({"maxPods": 110, "seccompDefault": true, "podPidsLimit": 100});
        assert_eq!(
            hardening(false).edited(KubeadmConfiguration::Kubelet, &kubelet),
            kubelet
        );
    }

    #[test]
    fn kubelets_fields_go_on_and_off() {
        let live = json!({"maxPods": 110});
        let on = hardening(true).edited(KubeadmConfiguration::Kubelet, &live);
        assert_eq!(
            on,
            json!({"maxPods": 110, "seccompDefault": true, "podPidsLimit": 4096})
        );
        assert_eq!(hardening(false).edited(KubeadmConfiguration::Kubelet, &on), live);
    }

    #[test]
    fn a_missing_configuration_is_not_made_up() {
        for which in [KubeadmConfiguration::Cluster, KubeadmConfiguration::Kubelet] {
            assert_eq!(hardening(true).edited(which, &Value::Null), Value::Null);
        }
    }
}
