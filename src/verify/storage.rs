//! Storage: a claim binds, and what is written into it on one node is read on the others.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::check::{Check, CheckProblem};
use super::{CLUSTER, VerifiedCluster, nodes};
use crate::cluster_api::{Api, ObjectId, RolloutKind, RolloutTarget};
use crate::model::{Cluster, Provisioner, Storage};
use crate::resource::sh;

/// Namespace of everything that the check makes, and the claim in it. Both are the same in every run, so that a run finds
/// what a killed one left.
const NAMESPACE: &str = "ci-bootstrap-verify-storage";
const CLAIM: &str = "claim";

/// Longest time until all pods have the volume.
const READY: Duration = Duration::from_secs(180);
/// Longest time until what the check made is gone.
const GOING: Duration = Duration::from_secs(90);
/// Longest time for a file to be written or read.
const FILE: Duration = Duration::from_secs(60);

pub(super) fn checks(cluster: &Cluster) -> Vec<Box<dyn Check>> {
    let storage = cluster
        .storage
        .clone()
        .filter(|_| cluster.first_control_plane().is_some());
    storage
        .map(|storage| {
            Box::new(StorageCheck {
                storage,
                image: pause(cluster),
            }) as Box<dyn Check>
        })
        .into_iter()
        .collect()
}

/// An image that every node has, and that needs nothing: the volume is used from the node, where it is mounted for the pod.
fn pause(cluster: &Cluster) -> String {
    let mut images = cluster.images.references().into_iter();
    images
        .find_map(|(component, image)| (component == "pause").then_some(image))
        .unwrap_or_default()
}

struct StorageCheck {
    storage: Storage,
    image: String,
}

impl Check for StorageCheck {
    fn name(&self) -> String {
        "storage".to_owned()
    }

    fn place(&self) -> &str {
        CLUSTER
    }

    fn needs(&self) -> &'static [&'static str] {
        &[nodes::NAME]
    }

    fn limit(&self) -> Duration {
        READY + GOING * 2 + FILE * 4
    }

    fn run<'a>(&'a self, site: &'a VerifiedCluster) -> BoxFuture<'a, Result<String, CheckProblem>> {
        Box::pin(async move {
            let api = site.api().await?;
            self.clean(api, site).await?;
            let result = self.try_out(api, site).await;
            let cleaned = self.clean(api, site).await;
            let said = result?;
            cleaned.map(|()| said)
        })
    }
}

impl StorageCheck {
    /// Whether the class is one of others, which may let only one node write.
    fn is_foreign(&self) -> bool {
        self.storage.class.provisioner == Provisioner::None
    }

    fn target(&self) -> RolloutTarget {
        let kind = if self.is_foreign() {
            RolloutKind::Deployment
        } else {
            RolloutKind::DaemonSet
        };
        RolloutTarget::new(kind, NAMESPACE, "pods")
    }

    async fn try_out(&self, api: &Api, site: &VerifiedCluster) -> Result<String, CheckProblem> {
        api.apply(&self.objects()).await?;
        if let Err(error) = api.wait(&self.target(), READY, |_| ()).await {
            let class = &self.storage.class.name;
            let problem = CheckProblem::failed(format!("no pod gets a volume of the class {class}"));
            return Err(problem.with_output(&error.to_string()));
        }
        let volume = volume(api).await?.unwrap_or_default();
        let mut nodes = Vec::new();
        for host in site.cluster.nodes() {
            let name = host.name.as_str();
            if !self.on_node(site, name, &find(&volume)).await?.is_empty() {
                nodes.push(name);
            }
        }
        let Some((first, others)) = nodes.split_first() else {
            return Err(CheckProblem::failed(format!(
                "volume {volume} is mounted on no node"
            )));
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let text = format!("{first} at {}", now.unwrap_or_default().as_nanos());
        self.on_node(site, first, &write(&volume, &text)).await?;
        for node in others {
            let read = self.on_node(site, node, &read(&volume)).await?;
            if read != text {
                let what = format!("{first} wrote `{text}` into volume {volume}, and {node} reads `{read}`");
                return Err(CheckProblem::failed(what));
            }
        }
        Ok(match others.len() {
            0 => format!("a claim is bound, and written on {first}"),
            _ => format!(
                "a claim is bound, written on {first}, read on {}",
                others.join(", ")
            ),
        })
    }

    /// What a script prints that uses the volume where a node has it mounted for a pod.
    async fn on_node(
        &self,
        site: &VerifiedCluster,
        node: &str,
        script: &str,
    ) -> Result<String, CheckProblem> {
        let output = site.exec(node, script.to_owned(), FILE).await?;
        if !output.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let problem =
                CheckProblem::failed(format!("the volume can't be used on {node} ({})", output.ended));
            return Err(problem.with_output(&said).with_help(
                "pods run as users that the server does not know: the directory must let everybody write",
            ));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Removes what the check has made, also in a run that was killed: the class retains volumes and directories.
    async fn clean(&self, api: &Api, site: &VerifiedCluster) -> Result<(), CheckProblem> {
        let volume = volume(api).await?;
        api.delete(&ObjectId::new("v1", "Namespace", None, NAMESPACE), GOING)
            .await?;
        if let Some(volume) = volume.filter(|_| !self.is_foreign()) {
            api.delete(&ObjectId::new("v1", "PersistentVolume", None, &volume), GOING)
                .await?;
            self.remove_directory(site).await;
        }
        Ok(())
    }

    /// Removes the claim's directory from the share. One that stays does no harm: the next run gets it again.
    async fn remove_directory(&self, site: &VerifiedCluster) {
        if let (Some(nfs), Some(host)) = (&self.storage.nfs, site.cluster.nodes().next()) {
            let script = remove(&nfs.source, &self.storage.class.mount_options.join(","));
            // Nothing is lost with it, so nobody has to know.
            let _ = site.exec(host.name.as_str(), script, FILE).await;
        }
    }

    fn objects(&self) -> Vec<Value> {
        let modes = if self.is_foreign() {
            "ReadWriteOnce"
        } else {
            "ReadWriteMany"
        };
        let labels =
            json!({"app.kubernetes.io/name": "storage-check", "app.kubernetes.io/part-of": "ci-bootstrap"});
        let restricted = json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}});
        let pod = json!({
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65535, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "pause", "image": self.image, "securityContext": restricted,
                "volumeMounts": [{"name": "volume", "mountPath": "/volume"}]}],
            "volumes": [{"name": "volume", "persistentVolumeClaim": {"claimName": CLAIM}}],
        });
        vec![
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE,
                "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}),
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": CLAIM, "namespace": NAMESPACE},
                "spec": {"accessModes": [modes], "storageClassName": self.storage.class.name, "resources": {"requests": {"storage": "1Mi"}}}}),
            json!({"apiVersion": "apps/v1", "kind": format!("{:?}", self.target().kind),
                "metadata": {"name": "pods", "namespace": NAMESPACE},
                "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}}),
        ]
    }
}

/// The volume that the claim is bound to.
async fn volume(api: &Api) -> Result<Option<String>, CheckProblem> {
    let claim = api
        .read(&ObjectId::new(
            "v1",
            "PersistentVolumeClaim",
            Some(NAMESPACE),
            CLAIM,
        ))
        .await?;
    Ok(claim.and_then(|claim| claim["spec"]["volumeName"].as_str().map(str::to_owned)))
}

/// Prints where kubelet has mounted the volume for a pod; nothing where it has not.
fn find(volume: &str) -> String {
    format!(
        "for at in /var/lib/kubelet/pods/*/volumes/*/{volume}/mount /var/lib/kubelet/pods/*/volumes/*/{volume}; do\n\
         if mountpoint -q \"$at\"; then echo \"$at\"; break; fi; done\n"
    )
}

/// Writes as a user that no server knows, like the pods of most images. Such a user can't pass through kubelet's directories
/// on the way to the volume: root goes there first.
fn write(volume: &str, text: &str) -> String {
    format!(
        "at=$({})\ncd \"$at\" && setpriv --reuid 65535 --regid 65535 --clear-groups sh -c 'echo \"$1\" > proof' sh '{text}'\n",
        find(volume)
    )
}

fn read(volume: &str) -> String {
    format!(
        "at=$({})\nls \"$at\" >/dev/null; cat \"$at/proof\"\n",
        find(volume)
    )
}

/// Removes the claim's directory from the share, which is mounted for that.
fn remove(source: &str, options: &str) -> String {
    let (source, options) = (sh::quote(source), sh::quote(&format!("{options},soft,retry=0")));
    format!(
        "dir=$(mktemp -d /run/ci-bootstrap-share.XXXXXX)\n\
         timeout 40 mount -t nfs -o {options} {source} \"$dir\" || {{ rmdir \"$dir\"; exit 1; }}\n\
         cd \"$dir\" && rm -f {NAMESPACE}-{CLAIM}/proof && rmdir {NAMESPACE}-{CLAIM}; cd /\n\
         umount \"$dir\" || umount -l \"$dir\"; rmdir \"$dir\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_are_valid_shell() {
        let remove = remove("nas:/srv/it's ours", "nfsvers=4.1");
        for script in [find("pvc-1"), write("pvc-1", "w1 at 1"), read("pvc-1"), remove] {
            assert!(sh::is_valid(&script), "{script}");
        }
    }
}
