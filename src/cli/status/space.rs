//! The room that nodes and the share have left.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cluster_api::{Api, Condition, FreeSpace, Node, NodeSpace, SharedDirectory};
use crate::model::Cluster;

/// A share with less than this free, in percent, is told as a problem: builds and backups fail when it is full. Nodes have
/// conditions of their own for it.
const SHARE_NEEDS: u64 = 5;

/// The volume with which the provisioner mounts the whole share.
const PROVISIONER: (&str, &str) = ("nfs-provisioner", "share");
/// The claim of Jenkins' home.
const HOME: &str = "jenkins-home";

/// The room of all nodes that answer, by name.
pub(super) async fn of_nodes(api: &Api, nodes: &[Node]) -> BTreeMap<String, NodeSpace> {
    // One that does not answer is told as not ready, or has pods that are not.
    let ask = async |node: &Node| Some((node.name.clone(), api.node_space(&node.name).await.ok()?));
    let ready = nodes.iter().filter(|node| node.ready);
    let found = futures::future::join_all(ready.map(ask)).await;
    found.into_iter().flatten().collect()
}

/// What a node is short of, in the words of its kubelet: it takes no more pods then, or ends some.
pub(super) fn pressures(node: &str, conditions: &[Condition]) -> Vec<String> {
    let pressed = conditions
        .iter()
        .filter(|condition| condition.kind.ends_with("Pressure") && condition.status == "True");
    pressed
        .map(|condition| format!("node {node}: {}: {}", condition.kind, condition.message))
        .collect()
}

/// What is told of claims that meet in one directory.
pub(super) fn shared_directory_problem(shared: &SharedDirectory) -> String {
    format!(
        "the claims {} have the same directory {}: give one of them another name",
        shared.claims.join(" and "),
        shared.directory
    )
}

/// The room of the share, or of the volume of Jenkins' home where that is none of ours.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShareSpace {
    /// `share SERVER:PATH`, or `volume of Jenkins' home`.
    name: String,
    #[serde(flatten)]
    space: FreeSpace,
}

impl ShareSpace {
    /// Looks for a pod that has it mounted.
    pub(super) fn find(cluster: &Cluster, nodes: &BTreeMap<String, NodeSpace>) -> Option<Self> {
        let storage = cluster.storage.as_ref();
        let nfs = storage.and_then(|storage| storage.nfs.as_ref());
        let home = cluster.jenkins.as_ref();
        let on_share = |class: &Option<String>| match (class, storage) {
            (Some(class), Some(storage)) => *class == storage.class.name,
            (None, _) => true,
            (Some(_), None) => false,
        };
        let volumes = || nodes.values().flat_map(|node| &node.volumes);
        let provisioner = volumes()
            .find(|volume| nfs.is_some() && (volume.namespace.as_str(), volume.name.as_str()) == PROVISIONER);
        let mut of_home = home.into_iter().flat_map(|jenkins| {
            volumes().filter(|volume| {
                volume.namespace == jenkins.namespace && volume.claim.as_deref() == Some(HOME)
            })
        });
        let name = match nfs {
            Some(nfs)
                if provisioner.is_some() || home.is_some_and(|jenkins| on_share(&jenkins.storage.class)) =>
            {
                format!("share {}", nfs.source)
            }
            _ => "volume of Jenkins' home".to_owned(),
        };
        let volume = provisioner.or_else(|| of_home.next())?;
        Some(Self {
            name,
            space: volume.space,
        })
    }

    /// What is wrong with it.
    pub(super) fn problem(&self) -> Option<String> {
        (self.space.percent() < SHARE_NEEDS).then(|| {
            format!(
                "{}: {}; keep fewer builds (`jenkins.keep`), or make it larger",
                self.name,
                shown(self.space)
            )
        })
    }

    /// A line for people.
    pub(super) fn text(&self) -> String {
        format!("{}: {}\n", self.name, shown(self.space))
    }
}

/// `34 % free, 59 GiB`.
pub(super) fn shown(space: FreeSpace) -> String {
    format!("{} % free, {}", space.percent(), size(space.available_bytes))
}

/// Whole units of a size, rounded down.
fn size(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20)];
    // Two digits at the least, so that what is rounded away is little.
    let fits = |(_, bits): &&(&str, u32)| bytes >> bits >= 10;
    let (unit, bits) = units.iter().find(fits).copied().unwrap_or(("MiB", 20));
    format!("{} {unit}", bytes >> bits)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::path::Path;

    use super::*;
    use crate::cluster_api::VolumeSpace;

    fn cluster(more: &str) -> Cluster {
        let text = format!(
            "apiVersion: ci-bootstrap/v1\ncluster: {{ name: ci, kubernetes: 1.36.4 }}\nssh: {{ user: root }}\n\
             hosts: [{{ name: cp1, address: 10.0.0.11, roles: [control-plane, worker] }}]\njenkins: {{}}\n{more}"
        );
        let source = crate::diagnostic::Source {
            name: "inventory.yaml".to_owned(),
            text,
        };
        let document = crate::inventory::parse(source, Path::new("."));
        crate::model::validate(&document)
            .map_err(|_| "not valid")
            .unwrap()
            .cluster
    }

    fn nodes(volumes: &[(&str, &str, Option<&str>, u64)]) -> BTreeMap<String, NodeSpace> {
        let volume = |(namespace, name, claim, free): &(&str, &str, Option<&str>, u64)| VolumeSpace {
            namespace: (*namespace).to_owned(),
            name: (*name).to_owned(),
            claim: claim.map(str::to_owned),
            space: FreeSpace {
                available_bytes: free << 30,
                capacity_bytes: 100 << 30,
            },
        };
        let space = NodeSpace {
            volumes: volumes.iter().map(volume).collect(),
            ..NodeSpace::default()
        };
        BTreeMap::from([("w1".to_owned(), space)])
    }

    #[test]
    fn the_share_is_measured_where_it_is_mounted() {
        let nfs = cluster("storage: { nfs: { server: 10.0.0.31, path: /srv/nfs } }\n");
        let home = ("kube-ops", "home", Some("jenkins-home"), 3);
        let found = ShareSpace::find(&nfs, &nodes(&[("kube-ops", "tmp", None, 90), home])).unwrap();
        assert_eq!(found.text(), "share 10.0.0.31:/srv/nfs: 3 % free, 3072 MiB\n");
        assert!(found.problem().unwrap().contains("jenkins.keep"));
        let provisioner = ("nfs-provisioner", "share", None, 59);
        let found = ShareSpace::find(&nfs, &nodes(&[home, provisioner])).unwrap();
        assert_eq!(
            (found.text().as_str(), found.problem()),
            ("share 10.0.0.31:/srv/nfs: 59 % free, 59 GiB\n", None)
        );
        assert_eq!(ShareSpace::find(&nfs, &nodes(&[])), None);
    }

    #[test]
    fn a_node_under_pressure_is_a_problem() {
        let condition = |kind: &str, status: &str| Condition {
            kind: kind.to_owned(),
            status: status.to_owned(),
            reason: "KubeletHasDiskPressure".to_owned(),
            message: "kubelet has disk pressure".to_owned(),
        };
        let conditions = [
            condition("DiskPressure", "True"),
            condition("MemoryPressure", "False"),
            condition("Ready", "True"),
        ];
        assert_eq!(
            pressures("w1", &conditions),
            ["node w1: DiskPressure: kubelet has disk pressure"]
        );
    }

    #[test]
    fn a_home_on_storage_of_others_is_no_share() {
        let others = cluster("");
        let found =
            ShareSpace::find(&others, &nodes(&[("kube-ops", "home", Some("jenkins-home"), 40)])).unwrap();
        assert_eq!(found.text(), "volume of Jenkins' home: 40 % free, 40 GiB\n");
    }
}
