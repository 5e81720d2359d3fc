//! Timers for bundles, as `status` tells of them.

use serde::Serialize;

use crate::fleet::Fleet;
use crate::model::Cluster;
use crate::recovery::schedule::{self, TimerStatus};

/// A host that makes bundles.
#[derive(Debug, Serialize)]
pub(super) struct Timer {
    host: String,
    #[serde(flatten)]
    status: TimerStatus,
}

/// The hosts that make bundles. Nobody remembers which they are, so all are asked; one that does not answer is reported elsewhere.
pub(super) async fn timers(fleet: &Fleet, cluster: &Cluster) -> Vec<Timer> {
    let asked = cluster.hosts.iter().map(|host| async {
        let name = host.name.as_str();
        let connection = fleet.host(name).await.ok()?;
        let status = schedule::read_timer_status(&*connection, name).await.ok()??;
        let host = name.to_owned();
        Some(Timer { host, status })
    });
    let found = futures::future::join_all(asked).await;
    found.into_iter().flatten().collect()
}

impl Timer {
    /// What is wrong with the last bundle.
    pub(super) fn problem(&self) -> Option<String> {
        let Self { host, status } = self;
        (status.result != "success").then(|| {
            format!(
                "{host} could not make the last bundle ({}): see `journalctl -u ci-bootstrap-backup` there",
                status.result
            )
        })
    }

    pub(super) fn text(&self) -> String {
        format!("bundles: {} makes the next on {}\n", self.host, self.status.next)
    }
}
