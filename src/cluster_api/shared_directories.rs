//! Claims whose volumes are one and the same directory of an NFS share.

use std::collections::BTreeMap;

use serde_json::Value;

use super::call::ApiCall;
use super::client::Api;
use super::error::ApiError;
use super::node::items;

/// A directory that more than one claim has, each of which can read and change what is the other's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedDirectory {
    /// `SERVER:PATH`.
    pub directory: String,
    /// Namespace and name of each claim, in order.
    pub claims: Vec<String>,
}

impl Api {
    /// Looks at all volumes that are bound. Directories are named after claims by joining namespace and name, so that
    /// `kube/ops-home` and `kube-ops/home` meet.
    pub async fn shared_directories(&self) -> Result<Vec<SharedDirectory>, ApiError> {
        let volumes = self.json(ApiCall::get("/api/v1/persistentvolumes")).await;
        let volumes = volumes.map_err(|e| e.during("list volumes"))?;
        Ok(shared(&volumes))
    }
}

fn shared(volumes: &Value) -> Vec<SharedDirectory> {
    let mut directories: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for volume in items(&volumes["items"]) {
        if let Some((directory, claim)) = directory_and_claim(volume) {
            directories.entry(directory).or_default().push(claim);
        }
    }
    let several = directories.into_iter().map(|(directory, mut claims)| {
        claims.sort();
        claims.dedup();
        SharedDirectory { directory, claims }
    });
    several.filter(|shared| shared.claims.len() > 1).collect()
}

/// Nothing for a volume of another kind, and for one that no claim has.
fn directory_and_claim(volume: &Value) -> Option<(String, String)> {
    let (nfs, claim) = (&volume["spec"]["nfs"], &volume["spec"]["claimRef"]);
    let path = nfs["path"].as_str()?.trim_end_matches('/');
    let directory = format!("{}:{path}", nfs["server"].as_str()?);
    let claim = format!("{}/{}", claim["namespace"].as_str()?, claim["name"].as_str()?);
    (volume["status"]["phase"] == "Bound").then_some((directory, claim))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn volume(path: &str, namespace: &str, claim: &str, phase: &str) -> Value {
        json!({"spec": {"nfs": {"server": "10.0.0.31", "path": path}, "claimRef": {"namespace": namespace, "name": claim}},
            "status": {"phase": phase}})
    }

    #[test]
    fn claims_with_one_directory_are_told_with_both_names() {
        let home = "/srv/nfs/kube-ops-jenkins-home";
        let volumes = json!({"items": [
            volume(home, "kube-ops", "jenkins-home", "Bound"),
            volume(&format!("{home}/"), "kube", "ops-jenkins-home", "Bound"),
            volume("/srv/nfs/kube-ops-agents-cache", "kube-ops-agents", "cache", "Bound"),
            json!({"spec": {"hostPath": {"path": home}}})]});
        let expected = SharedDirectory {
            directory: format!("10.0.0.31:{home}"),
            claims: vec![
                "kube-ops/jenkins-home".to_owned(),
                "kube/ops-jenkins-home".to_owned(),
            ],
        };
        assert_eq!(shared(&volumes), [expected]);
    }

    #[test]
    fn a_claim_that_was_made_anew_finds_its_own_directory() {
        let volumes = json!({"items": [
            volume("/srv/nfs/a-b", "a", "b", "Released"), volume("/srv/nfs/a-b", "a", "b", "Bound"),
            volume("/srv/nfs/c-d", "c", "d", "Bound"), volume("/srv/nfs/c-d", "c-d", "e", "Released")]});
        assert_eq!(shared(&volumes), []);
        assert_eq!(shared(&Value::Null), []);
    }
}
