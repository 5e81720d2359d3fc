//! New pods for a workload that stays as it is.

use serde_json::json;

use super::MANAGER;
use super::call::ApiCall;
use super::client::Api;
use super::error::ApiError;
use super::rollout::RolloutTarget;

/// When a workload was restarted, on its pods' template.
const RESTARTED: &str = "ci-bootstrap/restarted";

impl Api {
    /// Has the pods of a workload replaced, as `kubectl rollout restart` does. It does not wait for them.
    ///
    /// # Errors
    /// When the workload does not exist, or the API server refuses.
    pub async fn restart(&self, target: &RolloutTarget) -> Result<(), ApiError> {
        let now = jiff::Timestamp::now().to_string();
        let body = json!({"spec": {"template": {"metadata": {"annotations": {RESTARTED: now}}}}});
        let restarted = async {
            let path = self.path(&target.id()).await?;
            self.text(ApiCall::merge(format!("{path}?fieldManager={MANAGER}"), &body))
                .await
        };
        let restarted = restarted.await.map(drop);
        restarted.map_err(|error| error.during(format_args!("restart {target}")))
    }
}
