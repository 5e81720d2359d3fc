//! How a cluster is, for a person who asks.

use jiff::Timestamp;
use serde_json::Value;

use super::call::ApiCall;
use super::client::Api;
use super::error::ApiError;
use super::node::{Node, items};
use super::rollout::{RolloutKind, RolloutTarget, state};

/// A component that leads renews its lease every two seconds; after this time it is gone.
const LEASE_SECONDS: i64 = 40;

/// What the API server knows about its cluster.
#[derive(Debug, Clone)]
pub struct ClusterStatus {
    /// URL of the API server.
    pub server: String,
    /// Its version, such as `v1.36.4`.
    pub version: String,
    /// All nodes.
    pub nodes: Vec<Node>,
    /// Checks of the API server (etcd and its own parts) and whether its controllers are alive.
    pub health: Vec<HealthCheck>,
    /// Daemon sets, deployments and stateful sets of all namespaces.
    pub workloads: Vec<WorkloadStatus>,
}

/// One check of the control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is checked: `etcd`, `kube-scheduler` …
    pub name: String,
    /// Whether it is well.
    pub healthy: bool,
    /// What is known about it; empty where all is well.
    pub detail: String,
}

/// How far one workload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadStatus {
    /// Which; can be handed to [`Api::explain`].
    pub target: RolloutTarget,
    /// Whether all its pods are ready and of the newest version.
    pub ready: bool,
    /// In words, such as `1 of 3 pods ready`.
    pub state: String,
}

impl Api {
    /// Asks for everything at once.
    pub async fn status(&self) -> Result<ClusterStatus, ApiError> {
        let (nodes, mut health, leaders, daemons, deployments, stateful) = futures::try_join!(
            self.nodes(),
            self.readiness(),
            self.leaders(),
            self.workloads(RolloutKind::DaemonSet),
            self.workloads(RolloutKind::Deployment),
            self.workloads(RolloutKind::StatefulSet),
        )
        .map_err(|e| e.during("read the cluster's status"))?;
        health.extend(leaders);
        Ok(ClusterStatus {
            server: self.server().to_owned(),
            version: self.version().to_owned(),
            nodes,
            health,
            workloads: [daemons, deployments, stateful].concat(),
        })
    }

    async fn readiness(&self) -> Result<Vec<HealthCheck>, ApiError> {
        match self.text(ApiCall::get("/readyz?verbose")).await {
            Ok(text) => Ok(checks(&text)),
            // An API server that is not ready answers with the same list as an error.
            Err(e) => match e.rejection().map(|rejection| checks(&rejection.message)) {
                Some(checks) if !checks.is_empty() => Ok(checks),
                _ => Err(e),
            },
        }
    }

    async fn leaders(&self) -> Result<Vec<HealthCheck>, ApiError> {
        let path = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
        let leases = self.json(ApiCall::get(path)).await?;
        let now = Timestamp::now();
        let names = ["kube-controller-manager", "kube-scheduler"];
        Ok(names.iter().map(|name| leader(&leases, name, now)).collect())
    }

    async fn workloads(&self, kind: RolloutKind) -> Result<Vec<WorkloadStatus>, ApiError> {
        let plural = format!("{kind:?}s").to_lowercase();
        let list = self.json(ApiCall::get(format!("/apis/apps/v1/{plural}"))).await?;
        Ok(items(&list["items"]).map(|live| workload(kind, live)).collect())
    }
}

fn workload(kind: RolloutKind, live: &Value) -> WorkloadStatus {
    let text = |field: &str| live["metadata"][field].as_str().unwrap_or_default();
    let state = state(kind, Some(live));
    WorkloadStatus {
        target: RolloutTarget::new(kind, text("namespace"), text("name")),
        ready: state.done,
        state: state.text,
    }
}

/// Reads `[+]etcd ok` and `[-]etcd failed: reason withheld`.
fn checks(text: &str) -> Vec<HealthCheck> {
    let check = |line: &str| {
        let (healthy, rest) = match line.trim().split_at_checked(3)? {
            ("[+]", rest) => (true, rest),
            ("[-]", rest) => (false, rest),
            _ => return None,
        };
        let (name, detail) = rest.split_once(' ').unwrap_or((rest, ""));
        Some(HealthCheck {
            name: name.to_owned(),
            healthy,
            detail: if healthy { String::new() } else { detail.to_owned() },
        })
    };
    text.lines().filter_map(check).collect()
}

fn leader(leases: &Value, name: &str, now: Timestamp) -> HealthCheck {
    let lease = items(&leases["items"]).find(|lease| lease["metadata"]["name"] == name);
    let renewed: Option<Timestamp> = lease.and_then(|l| l["spec"]["renewTime"].as_str()?.parse().ok());
    let age = renewed.map(|renewed| now.as_second() - renewed.as_second());
    let detail = match age {
        None => "has never led: it does not run, or does not reach the API server".to_owned(),
        Some(age) if age > LEASE_SECONDS => format!("renewed its lease {age} s ago: it does not run"),
        Some(_) => String::new(),
    };
    HealthCheck {
        name: name.to_owned(),
        healthy: detail.is_empty(),
        detail,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
    use serde_json::json;

    use super::*;

    #[test]
    fn the_api_servers_list_is_read() {
        let found = checks("[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n");
        let seen: Vec<_> = found
            .iter()
            .map(|c| (c.name.as_str(), c.healthy, c.detail.as_str()))
            .collect();
        assert_eq!(
            seen,
            [("ping", true, ""), ("etcd", false, "failed: reason withheld")]
        );
    }

    #[test]
    fn a_scheduler_that_stopped_renewing_is_unwell() {
        let leases = json!({"items": [{"metadata": {"name": "kube-scheduler"}, "spec": {"renewTime": "2026-11-21T10:00:00.123456Z"}}]});
        let at = |time: &str| leader(&leases, "kube-scheduler", time.parse().unwrap());
        assert!(at("2026-11-21T10:00:10Z").healthy);
        assert_eq!(
            at("2026-11-21T10:01:40Z").detail,
            "renewed its lease 100 s ago: it does not run"
        );
        assert!(!leader(&leases, "kube-controller-manager", Timestamp::UNIX_EPOCH).healthy);
    }
}
