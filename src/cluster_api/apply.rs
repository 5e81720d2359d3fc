//! Makes the cluster as it should be, by server-side apply.

use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::time::Instant;

use super::MANAGER;
use super::call::ApiCall;
use super::client::Api;
use super::compare::{CONCURRENCY, Difference};
use super::error::ApiError;
use super::object::{Object, ObjectId, normalised};

/// Longest time that new definitions may take until their kinds are served.
const ESTABLISH: Duration = Duration::from_secs(60);

impl Api {
    /// Creates and changes what differs from `wanted`, and touches nothing else. Gives what was different.
    ///
    /// The fields that `wanted` names become ours even where somebody else set them.
    /// Namespaces and definitions come first, workloads last.
    pub async fn apply(&self, wanted: &[Object]) -> Result<Vec<Difference>, ApiError> {
        let differences = self.compare(wanted).await?;
        let mut todo = Vec::new();
        for object in wanted {
            let id = ObjectId::from_object(object)?;
            if differences.iter().any(|d| d.id == id) {
                todo.push((id, object));
            }
        }
        for tier in [Tier::Ground, Tier::Content, Tier::Workload] {
            let of_tier: Vec<_> = todo.iter().filter(|(id, _)| tier_of(id) == tier).collect();
            if tier == Tier::Content {
                self.await_kinds(&todo).await?;
            }
            // Made before they are streamed: a closure in a stream that a boxed future awaits does not compile.
            let requests: Vec<_> = of_tier
                .into_iter()
                .map(|(id, object)| self.apply_one(id, object))
                .collect();
            stream::iter(requests)
                .buffer_unordered(CONCURRENCY)
                .try_collect::<Vec<()>>()
                .await?;
        }
        Ok(differences)
    }

    async fn apply_one(&self, id: &ObjectId, object: &Object) -> Result<(), ApiError> {
        let applied = async {
            let path = self.path(id).await?;
            let call = ApiCall::apply(
                format!("{path}?fieldManager={MANAGER}&force=true&fieldValidation=Strict"),
                &normalised(object),
            );
            self.text(call).await
        };
        applied
            .await
            .map(drop)
            .map_err(|e| e.during(format_args!("apply {id}")))
    }

    /// Waits until every kind in `todo` is served: a new definition takes a moment until the server knows it.
    async fn await_kinds(&self, todo: &[(ObjectId, &Object)]) -> Result<(), ApiError> {
        let deadline = Instant::now() + ESTABLISH;
        for (id, _) in todo.iter().filter(|(id, _)| id.is_crd()) {
            self.await_established(id, deadline).await?;
        }
        let ids: Vec<_> = todo.iter().map(|(id, _)| id.clone()).collect();
        loop {
            let paths = self.paths(&ids).await?;
            let Some(unknown) = paths.iter().position(Option::is_none) else {
                return Ok(());
            };
            let brought = todo
                .iter()
                .any(|(id, object)| id.is_crd() && defines(object, &ids[unknown]));
            if !brought || Instant::now() >= deadline {
                return self.path(&ids[unknown]).await.map(drop);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    async fn await_established(&self, id: &ObjectId, deadline: Instant) -> Result<(), ApiError> {
        let path = self.path(id).await?;
        loop {
            let live = self.json(ApiCall::get(&path)).await?;
            let conditions = live["status"]["conditions"].as_array();
            let is = |kind: &str, status: &str| {
                conditions.is_some_and(|all| all.iter().any(|c| c["type"] == kind && c["status"] == status))
            };
            if is("Established", "True") {
                return Ok(());
            }
            if is("NamesAccepted", "False") || Instant::now() >= deadline {
                return Err(ApiError::NotEstablished {
                    id: id.clone(),
                    conditions: live["status"]["conditions"].to_string(),
                });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// What must exist before what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tier {
    /// Namespaces and definitions of kinds.
    Ground,
    /// Everything that pods may refer to.
    Content,
    /// What makes pods.
    Workload,
}

fn tier_of(id: &ObjectId) -> Tier {
    match id.kind.as_str() {
        "Namespace" | "CustomResourceDefinition" => Tier::Ground,
        "DaemonSet" | "Deployment" | "StatefulSet" | "ReplicaSet" | "Job" | "CronJob" | "Pod" => {
            Tier::Workload
        }
        _ => Tier::Content,
    }
}

fn defines(crd: &Object, id: &ObjectId) -> bool {
    let group = id.api_version.split_once('/').map_or("", |(group, _)| group);
    crd["spec"]["names"]["kind"] == id.kind && crd["spec"]["group"] == group
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
    use serde_json::json;

    use super::*;

    #[test]
    fn pods_come_after_what_they_refer_to() {
        let tier = |api_version: &str, kind: &str| {
            let object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}});
            tier_of(&ObjectId::from_object(&object).unwrap())
        };
        assert_eq!(tier("v1", "Namespace"), Tier::Ground);
        assert_eq!(tier("v1", "ServiceAccount"), Tier::Content);
        assert_eq!(tier("apps/v1", "DaemonSet"), Tier::Workload);
    }

    #[test]
    fn a_definition_is_found_for_its_kind() {
        let crd = json!({"spec": {"group": "ci.example", "names": {"kind": "Build"}}});
        let id = |api_version: &str| ObjectId::new(api_version, "Build", None, "x");
        assert!(defines(&crd, &id("ci.example/v1")));
        assert!(!defines(&crd, &id("other.example/v1")));
    }
}
