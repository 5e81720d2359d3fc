//! What a lost machine left in the cluster, taken out before its successor of the same name joins.

use std::time::Duration;

use crate::cluster_api::{Api, Node, ObjectId};
use crate::resource::{etcd_peer, sh};
use crate::transport::Script;

use super::access::{AccessError, ApiAccess, failed};

/// The cluster calls a node that fell silent not ready after 40 seconds; until then it may be alive.
const SILENCE: Duration = Duration::from_secs(90);
const LIMIT: Duration = Duration::from_secs(60);

/// Removes the node object of a host that has nothing of a cluster on it. One that is alive is left alone. In a `restored`
/// cluster every node seems alive at first, wherever it was.
pub(super) async fn forget_node(
    api: &Api,
    name: &str,
    address: &str,
    restored: bool,
) -> Result<(), AccessError> {
    let began = tokio::time::Instant::now();
    while let Some(node) = api.node(name).await? {
        if !node.ready {
            return Ok(api
                .delete(&ObjectId::new("v1", "Node", None, name), LIMIT)
                .await?);
        }
        if (!restored && !is_at(&node, address)) || began.elapsed() > SILENCE {
            return Err(AccessError::Api(format!(
                "the cluster already has a Ready node {name} at {}, and this host of that name is not part of it: give this host another name, or \
                 take the other one out of the cluster first (kubectl drain, kubectl delete node)",
                node.internal_ip.as_deref().unwrap_or("an unknown address")
            )));
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    Ok(())
}

fn is_at(node: &Node, address: &str) -> bool {
    node.internal_ip.as_deref() == Some(address)
}

/// Removes the etcd member that a lost control plane left: a successor with an empty disk can't take its place.
pub(super) async fn forget_etcd_member(access: &ApiAccess, address: &str) -> Result<(), AccessError> {
    let output = access
        .host
        .exec(Script::new(remove_member(address), LIMIT))
        .await?;
    if output.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(failed(
        &access.host_name,
        "removing the lost control plane's etcd member",
        &text,
    ))
}

/// Several control planes may ask at once, so nothing lies in a file. Members are distinguished by their peer address: the name is the node's, and a new one may have it already.
fn remove_member(address: &str) -> String {
    let peer = sh::quote(&etcd_peer(address));
    format!(
        "set -eu\netcd=$(crictl ps -q --name '^etcd$' --state Running | head -n 1)\n\
         [ -n \"$etcd\" ] || exit 0   # an etcd of the site's own is not ours to change\n\
         pki=/etc/kubernetes/pki/etcd\n\
         e() {{ crictl exec \"$etcd\" etcdctl --endpoints https://127.0.0.1:2379 --cacert $pki/ca.crt --cert $pki/server.crt --key $pki/server.key \"$@\"; }}\n\
         members=$(e member list)\n\
         while IFS=, read -r id _ _ peers _; do [ \"$peers\" != ' '{peer} ] || e member remove \"$id\" </dev/null; done <<MEMBERS\n$members\nMEMBERS\n"
    )
}

#[cfg(test)]
mod tests {
    use super::remove_member;

    #[test]
    fn only_the_member_at_that_address_is_removed() {
        let folder = tempfile::tempdir().unwrap_or_else(|error| unreachable!("{error}"));
        let crictl = "#!/bin/sh\ncase \"$*\" in *'ps -q'*) echo abc ;; *'member list') printf '%s\\n' \
            '1a, started, cp1, https://10.0.0.1:2380, https://10.0.0.1:2379, false' '2b, started, cp3, https://10.0.0.13:2380, https://10.0.0.13:2379, false' \
            '3c, started, cp4, https://[fd00::13]:2380, https://[fd00::13]:2379, false' ;; \
            *'member remove'*) echo \"removed ${*##* }\" ;; esac\n";
        let path = folder.path().join("crictl");
        fs_err::write(&path, crictl).unwrap_or_else(|error| unreachable!("{error}"));
        for (address, member) in [("10.0.0.13", "2b"), ("fd00::13", "3c")] {
            let script = format!(
                "chmod 755 {path}\nPATH={folder}:$PATH\n{script}",
                script = remove_member(address),
                path = path.display(),
                folder = folder.path().display()
            );
            let output = std::process::Command::new("sh").args(["-c", &script]).output();
            let text = output
                .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
                .unwrap_or_default();
            assert_eq!(text, format!("removed {member}\n"));
        }
    }
}
