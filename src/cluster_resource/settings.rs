//! Settings that a cluster is initialized with and keeps: an inventory that says otherwise is refused, not obeyed in part. Hardening may be
//! switched: it is written into kubeadm's configuration here, and hosts follow.

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::hardening::Hardening;
use super::{ClusterResource, ClusterStepError, ProgressSink};
use crate::cluster_api::{Api, KubeadmConfiguration};
use crate::model::Cluster;
use crate::resource::Comparison;

/// What helps where kubeadm's own configuration differs.
const SETTLED_AT_INIT: &str = "these settings are fixed by kubeadm init: restore the values of the cluster in the inventory, or create another cluster";
/// What helps where kubelet's differs.
const KUBELET: &str = "kubelet gets these when its host joins: put the cluster's values back into the inventory, or change them by `kubectl -n \
kube-system edit configmap kubelet-config` and, on each node, `kubeadm upgrade node phase kubelet-config && systemctl restart kubelet`";

/// What kubeadm wrote down when it initialized the cluster, against the inventory. Hardening alone may change later.
#[derive(Debug)]
pub(super) struct InitSettings {
    cluster: Vec<InitSetting>,
    kubelet: Vec<InitSetting>,
    hardening: Hardening,
}

/// One value that is settled.
#[derive(Debug, PartialEq, Eq)]
struct InitSetting {
    /// The inventory's name for it.
    name: String,
    /// Its path in the cluster's configuration, as a JSON pointer.
    path: String,
    wanted: Value,
}

impl InitSetting {
    fn new(name: &str, path: &str, wanted: &impl ToString) -> Self {
        Self {
            name: name.to_owned(),
            path: path.to_owned(),
            wanted: wanted.to_string().into(),
        }
    }

    /// What differs, unless the cluster leaves the value open.
    fn conflict(&self, live: &Value) -> Option<String> {
        let (name, wanted, live) = (&self.name, &self.wanted, live.pointer(&self.path)?);
        (live != wanted).then(|| {
            format!(
                "{name} is {} in the inventory and {} in the cluster",
                plain(wanted),
                plain(live)
            )
        })
    }
}

/// A value as a person writes it.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl InitSettings {
    pub(super) fn from_cluster(cluster: &Cluster) -> Self {
        let networks = &cluster.networks;
        let kubelet = &cluster.kubelet;
        let mut own = json!({"cgroupDriver": kubelet.cgroup_driver, "failCgroupV1": kubelet.fail_cgroup_v1, "maxPods": kubelet.max_pods});
        if let Some(file) = &kubelet.resolv_conf {
            own["resolvConf"] = json!(file);
        }
        let mut settings = Self {
            cluster: vec![
                InitSetting::new("cluster.name", "/clusterName", &cluster.name),
                InitSetting::new("cluster.endpoint", "/controlPlaneEndpoint", &cluster.endpoint),
                InitSetting::new("cluster.networks.pods", "/networking/podSubnet", &networks.pods),
                InitSetting::new(
                    "cluster.networks.services",
                    "/networking/serviceSubnet",
                    &networks.services,
                ),
                InitSetting::new(
                    "cluster.networks.domain",
                    "/networking/dnsDomain",
                    &networks.domain,
                ),
                InitSetting::new(
                    "cluster.kubeadm.certificateValidity",
                    "/certificateValidityPeriod",
                    &cluster.kubeadm.certificate_validity,
                ),
            ],
            kubelet: Vec::new(),
            hardening: Hardening::from_cluster(cluster),
        };
        leaves("cluster.kubelet", "", &own, &mut settings.kubelet);
        let extra = kubelet.extra_config.clone().into();
        leaves("cluster.kubelet.extraConfig", "", &extra, &mut settings.kubelet);
        settings
    }

    /// What hardening changes in these configurations, a line each.
    fn changes(&self, live: &[(KubeadmConfiguration, Value)]) -> Vec<String> {
        let changes = live.iter().map(|(which, live)| {
            let after = self.hardening.edited(*which, live);
            which.difference(live, &after)
        });
        let changes: String = changes.collect();
        changes.lines().map(str::to_owned).collect()
    }
}

/// The single values below an object. A duration is none: kubeadm writes it down in another form than it was given.
fn leaves(name: &str, path: &str, value: &Value, into: &mut Vec<InitSetting>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let step = key.replace('~', "~0").replace('/', "~1");
                leaves(&format!("{name}.{key}"), &format!("{path}/{step}"), value, into);
            }
        }
        Value::String(text) if is_duration(text) => {}
        wanted => into.push(InitSetting {
            name: name.to_owned(),
            path: path.to_owned(),
            wanted: wanted.clone(),
        }),
    }
}

/// Whether Go would read it as a duration, such as `1m30s`.
fn is_duration(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(['h', 'm', 's'])
        && text.chars().all(|c| c.is_ascii_digit() || "hmsnu.".contains(c))
}

/// Differences under what helps against them; nothing where there are none.
fn conflict_text(settings: &[InitSetting], live: &Value, help: &str) -> Option<String> {
    let conflicts: Vec<_> = settings
        .iter()
        .filter_map(|setting| setting.conflict(live))
        .collect();
    (!conflicts.is_empty()).then(|| format!("{}\n{help}", conflicts.join("\n")))
}

impl ClusterResource for InitSettings {
    fn observe<'a>(&'a self, api: &'a Api) -> BoxFuture<'a, Result<Comparison, ClusterStepError>> {
        Box::pin(async move {
            let (cluster, kubelet) = futures::try_join!(
                api.configuration(KubeadmConfiguration::Cluster),
                api.configuration(KubeadmConfiguration::Kubelet),
            )?;
            let (cluster, kubelet) = (cluster.unwrap_or_default(), kubelet.unwrap_or_default());
            let refused = [
                conflict_text(&self.cluster, &cluster, SETTLED_AT_INIT),
                conflict_text(&self.kubelet, &kubelet, KUBELET),
            ];
            let refused: Vec<_> = refused.into_iter().flatten().collect();
            if !refused.is_empty() {
                return Ok(Comparison::Refused(refused.join("\n")));
            }
            let lines = self.changes(&[
                (KubeadmConfiguration::Cluster, cluster),
                (KubeadmConfiguration::Kubelet, kubelet),
            ]);
            Ok(Comparison::from_lines(self.hardening.summary(), lines))
        })
    }

    fn act<'a>(
        &'a self,
        api: &'a Api,
        _say: ProgressSink<'a>,
    ) -> BoxFuture<'a, Result<(), ClusterStepError>> {
        Box::pin(async move {
            for which in [KubeadmConfiguration::Cluster, KubeadmConfiguration::Kubelet] {
                let edit = |live: &Value| self.hardening.edited(which, live);
                api.edit_configuration(which, &edit).await?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_every_setting_that_can_not_be_changed() {
        let settings = [
            InitSetting::new("cluster.name", "/clusterName", &"ci"),
            InitSetting::new("cluster.networks.pods", "/networking/podSubnet", &"10.1.0.0/16"),
        ];
        let live = |pods| json!({"clusterName": "ci", "networking": {"podSubnet": pods}});
        assert_eq!(conflict_text(&settings, &live("10.1.0.0/16"), "help"), None);
        let expected =
            "cluster.networks.pods is 10.1.0.0/16 in the inventory and 10.2.0.0/16 in the cluster\nhelp";
        assert_eq!(
            conflict_text(&settings, &live("10.2.0.0/16"), "help").as_deref(),
            Some(expected)
        );
    }

    #[test]
    fn settings_of_kubelet_are_compared_value_by_value() {
        let wanted =
            json!({"maxPods": 110, "evictionHard": {"memory.available": "1%"}, "imageMinimumGCAge": "90s"});
        let mut settings = Vec::new();
        leaves("kubelet", "", &wanted, &mut settings);
        let live = json!({"maxPods": 110, "evictionHard": {"memory.available": "2%"}, "imageMinimumGCAge": "1m30s", "other": 1});
        let expected = "kubelet.evictionHard.memory.available is 1% in the inventory and 2% in the cluster\n";
        assert_eq!(conflict_text(&settings, &live, "").as_deref(), Some(expected));
        assert_eq!(conflict_text(&settings, &wanted, ""), None);
    }
}
