//! What a backup needs of an inventory. The user's own may name files that the host with the timer does not have.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::model::{Cluster, Host, Sudo};
use crate::recovery::schedule::{KEY, KNOWN_HOSTS};

/// An inventory of the same cluster for the host with the timer; `users` are the login users of the control planes by host.
pub(super) fn reduced(cluster: &Cluster, users: &BTreeMap<&str, String>, jenkins: bool) -> Value {
    let networks = &cluster.networks;
    let mut inventory = json!({
        "apiVersion": "ci-bootstrap/v1",
        "cluster": {
            "name": cluster.name,
            "kubernetes": cluster.kubernetes.to_string(),
            "endpoint": cluster.endpoint.to_string(),
            "networks": {
                "pods": networks.pods.to_string(),
                "nodePrefix": networks.node_prefix,
                "services": networks.services.to_string(),
                "domain": networks.domain,
            },
            // These have to fit the networks.
            "kubelet": { "maxPods": cluster.kubelet.max_pods },
            "calico": { "blockSize": cluster.calico.block_size },
        },
        "ssh": { "user": "root", "identities": [KEY], "agent": false, "knownHosts": [KNOWN_HOSTS] },
        "hosts": cluster.hosts.iter().map(|host| entry(host, users)).collect::<Vec<_>>(),
    });
    if let Some(signer) = &cluster.backup.signer {
        inventory["backup"] = json!({ "signer": signer });
    }
    if let Some(jenkins) = cluster.jenkins.as_ref().filter(|_| jenkins) {
        inventory["jenkins"] = json!({
            "namespace": jenkins.namespace,
            "agents": {
                "namespace": jenkins.agents.places.namespace,
                "builderNamespace": jenkins.agents.places.builder_namespace,
                "privilegedNamespace": jenkins.agents.places.privileged_namespace,
            },
        });
    }
    inventory
}

/// A host by the address that the others know, and without a jump host: it is in the same network.
fn entry(host: &Host, users: &BTreeMap<&str, String>) -> Value {
    let mut roles = Vec::new();
    if host.roles.control_plane {
        roles.push("control-plane");
    }
    if host.roles.worker {
        roles.push("worker");
    }
    let mut entry = json!({ "name": host.name, "address": host.address, "roles": roles });
    if let Some(user) = users.get(host.name.as_str()) {
        entry["ssh"] = json!({
            "user": user,
            "port": host.ssh.port(),
            "sudo": if host.ssh.sudo == Sudo::None { "none" } else { "passwordless" },
        });
    }
    entry
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::path::Path;

    use super::*;
    use crate::diagnostic::Source;
    use crate::{inventory, model};

    const WHOLE: &str = "
apiVersion: ci-bootstrap/v1
cluster:
  name: ci
  kubernetes: 1.34.1
  endpoint: api.ci.example:6443
  networks: { pods: 10.1.0.0/20, nodePrefix: 26, services: 10.2.0.0/20 }
  kubelet: { maxPods: 60 }
  calico: { blockSize: 28 }
ssh: { user: admin }
hosts:
  - { name: cp1, address: 10.0.0.11, roles: [control-plane, worker], ssh: { port: 2222 } }
  - { name: nfs1, address: 10.0.0.21, sshAddress: nfs.example, roles: [nfs] }
storage: {}
backup: { signer: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBROjRwWiAF7mtfQI5IPs9cykfQrqq1/PqxfStnf/HFm }
jenkins: { namespace: jenkins-agents, agents: { namespace: builds } }
";

    fn cluster(text: &str) -> Result<Cluster, Vec<String>> {
        let source = Source {
            name: "inventory".to_owned(),
            text: text.to_owned(),
        };
        let document = inventory::parse(source, Path::new("/"));
        let valid = model::validate(&document).map(|valid| valid.cluster);
        valid.map_err(|problems| problems.into_iter().map(|problem| problem.title).collect())
    }

    #[test]
    fn it_is_an_inventory_of_the_same_cluster() {
        let whole = cluster(WHOLE).unwrap();
        let users = BTreeMap::from([("cp1", "admin".to_owned())]);
        let text = reduced(&whole, &users, true).to_string();
        // The key is on the host only.
        let text = text.replace(&format!("[\"{KEY}\"]"), "[]");
        let same = cluster(&text).unwrap();
        assert_eq!(same.networks, whole.networks);
        assert_eq!(same.endpoint, whole.endpoint);
        assert!(same.backup.signer.is_some() && same.backup == whole.backup);
        assert_eq!(same.jenkins.as_ref().unwrap().namespace, "jenkins-agents");
        let names: Vec<_> = same.hosts.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(names, ["cp1", "nfs1"]);
        let ssh = &same.control_planes().next().unwrap().ssh;
        assert_eq!(
            (ssh.user.as_deref(), ssh.port, &ssh.sudo),
            (Some("admin"), Some(2222), &Sudo::Passwordless)
        );
        assert_eq!(ssh.known_hosts, Some(vec![KNOWN_HOSTS.into()]));
        assert!(reduced(&whole, &users, false).get("jenkins").is_none());
    }
}
