//! What is wrong with one container, from its status.

use std::time::Duration;

use serde_json::Value;

use crate::cluster_api::node::{entries, items};

/// A container that keeps its pod from being ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContainerProblem {
    /// Its name.
    pub(super) container: String,
    /// Whether it must end before the others start.
    pub(super) init: bool,
    /// State, reason, exit code, restarts.
    pub(super) problem: String,
    /// What a person can do, where the cause is known.
    pub(super) hint: Option<&'static str>,
    /// How long such a state may last until waiting is pointless.
    pub(super) patience: Option<Duration>,
    /// Whether it does not run, and not because it waits for its turn.
    pub(super) stopped: bool,
    /// Whose log tells more.
    pub(super) log: ContainerRun,
}

/// The run of a container that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContainerRun {
    /// It never ran.
    Nothing,
    /// The one that runs, or ran last without being followed by another.
    ThisRun,
    /// The one before: another is about to be started.
    RunBefore,
}

/// The containers of a pod that are in trouble, init containers first.
pub(super) fn troubles(pod: &Value) -> Vec<ContainerProblem> {
    let status = &pod["status"];
    let of = |field: &str, init: bool| {
        let found: Vec<_> = items(&status[field]).filter_map(|c| trouble(c, init)).collect();
        found
    };
    let mut found = of("initContainerStatuses", true);
    found.extend(of("containerStatuses", false));
    found
}

fn trouble(status: &Value, init: bool) -> Option<ContainerProblem> {
    let restarts = status["restartCount"].as_i64().unwrap_or(0);
    let last = &status["lastState"]["terminated"];
    let (state, detail) = entries(&status["state"]).next()?;
    let text = |field: &str| detail[field].as_str().unwrap_or_default();
    let reason = text("reason");
    let mut problem = match state.as_str() {
        // Waiting for its turn or being made: nothing is known to be wrong with it.
        "waiting" if ["PodInitializing", "ContainerCreating", ""].contains(&reason) => return None,
        "waiting" => join(reason, text("message")),
        "terminated" if detail["exitCode"] == 0 && init => return None,
        "terminated" => format!("ended: {}", ending(detail)),
        _ if status["ready"] == true || init && status["started"] == true => return None,
        _ if init => "still runs".to_owned(),
        _ => "runs, but is not ready".to_owned(),
    };
    if restarts > 0 {
        problem = format!("{problem}; {restarts} restarts");
    }
    if last.is_object() {
        problem = format!("{problem}; last run ended: {}", ending(last));
    }
    Some(ContainerProblem {
        container: status["name"].as_str().unwrap_or_default().to_owned(),
        init,
        hint: hint(&problem),
        patience: if ended_for_good(state, detail, last) {
            Some(Duration::ZERO)
        } else {
            patience(reason, &problem, restarts)
        },
        stopped: state != "running",
        log: match state.as_str() {
            "waiting" if last.is_object() => ContainerRun::RunBefore,
            "waiting" => ContainerRun::Nothing,
            _ => ContainerRun::ThisRun,
        },
        problem,
    })
}

fn join(reason: &str, message: &str) -> String {
    if message.is_empty() {
        reason.to_owned()
    } else {
        format!("{reason}: {message}")
    }
}

/// `exit code 1 (Error): message` or `signal 9`.
fn ending(terminated: &Value) -> String {
    let mut text = match terminated["signal"].as_i64().unwrap_or(0) {
        0 => format!("exit code {}", terminated["exitCode"]),
        signal => format!("signal {signal}"),
    };
    if let Some(reason) = terminated["reason"].as_str() {
        text = format!("{text} ({reason})");
    }
    match terminated["message"].as_str().map(str::trim) {
        Some(message) if !message.is_empty() => format!("{text}: {message}"),
        _ => text,
    }
}

/// What a program ends with that finds its settings wrong: `EX_CONFIG` of `sysexits.h`.
const WRONG_SETTINGS: i64 = 78;

/// Refusals of a registry that the next attempt will hear again.
const REFUSALS: [&str; 8] = [
    "not found",
    "x509",
    "unauthorized",
    "authorization failed",
    "access denied",
    "403 Forbidden",
    "manifest unknown",
    "InvalidImageName",
];

/// Whether it does not run, and ended by saying that its settings are wrong: another start would end the same.
fn ended_for_good(state: &str, detail: &Value, last: &Value) -> bool {
    let ended = if state == "waiting" { last } else { detail };
    ended["exitCode"] == WRONG_SETTINGS
}

fn patience(reason: &str, problem: &str, restarts: i64) -> Option<Duration> {
    match reason {
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => {
            let refused = REFUSALS.iter().any(|refusal| problem.contains(refusal));
            refused.then_some(Duration::from_secs(20))
        }
        // Some programs fail until what they need is there; four times in a row is no start-up race any more.
        "CrashLoopBackOff" if restarts >= 4 => Some(Duration::from_secs(5)),
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            Some(Duration::from_secs(60))
        }
        _ => None,
    }
}

fn hint(problem: &str) -> Option<&'static str> {
    let has = |text: &str| problem.contains(text);
    let image = has("ErrImagePull") || has("ImagePullBackOff");
    if has("OOMKilled") {
        Some("it used more memory than its limit allows: raise the limit")
    } else if !image {
        None
    } else if has("x509") {
        Some("the node does not trust the registry's certificate: name the registry's CA in the inventory")
    } else if has("unauthorized")
        || has("authorization failed")
        || has("access denied")
        || has("403 Forbidden")
    {
        Some("the registry refuses these credentials, or none were given")
    } else if has("not found") || has("manifest unknown") {
        Some("the registry has no such image or tag: check name and version, or copy the image there")
    } else if has("no such host") || has("dial tcp") || has("i/o timeout") {
        Some("the node does not reach the registry: check its DNS, routes and proxy")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(field: &str, status: &Value) -> Option<ContainerProblem> {
        troubles(&json!({"status": {field: [status]}})).pop()
    }

    #[test]
    fn a_crash_loop_tells_its_last_exit() {
        let status = json!({"name": "node", "restartCount": 4, "ready": false,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}});
        let found = one("containerStatuses", &status).map(|t| (t.problem, t.patience.is_some(), t.log));
        let text = "CrashLoopBackOff: back-off 40s; 4 restarts; last run ended: exit code 1 (Error)";
        assert_eq!(found, Some((text.to_owned(), true, ContainerRun::RunBefore)));
    }

    #[test]
    fn wrong_settings_are_believed_at_once_and_forgotten_with_the_next_run() {
        let with = |state: Value| {
            let status = json!({"name": "plugins", "restartCount": 1, "state": state,
                "lastState": {"terminated": {"exitCode": 78, "reason": "Error"}}});
            one("initContainerStatuses", &status).map(|trouble| trouble.patience)
        };
        let backs_off = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        assert_eq!(with(backs_off), Some(Some(Duration::ZERO)));
        assert_eq!(
            with(json!({"terminated": {"exitCode": 78}})),
            Some(Some(Duration::ZERO))
        );
        assert_eq!(with(json!({"running": {}})), Some(None));
    }

    #[test]
    fn an_image_that_is_not_there_is_hopeless_and_an_unreachable_registry_is_not() {
        let with = |message: &str| {
            let status = json!({"name": "a", "state": {"waiting": {"reason": "ImagePullBackOff", "message": message}}});
            one("initContainerStatuses", &status).map(|t| (t.patience.is_some(), t.hint.is_some()))
        };
        assert_eq!(
            with("failed to resolve reference \"r/x:1\": r/x:1: not found"),
            Some((true, true))
        );
        assert_eq!(
            with("tls: failed to verify certificate: x509: unknown authority"),
            Some((true, true))
        );
        assert_eq!(with("dial tcp 10.0.0.1:443: i/o timeout"), Some((false, true)));
    }

    #[test]
    fn what_waits_for_its_turn_is_no_trouble() {
        let waiting = json!({"name": "a", "state": {"waiting": {"reason": "PodInitializing"}}});
        assert_eq!(one("containerStatuses", &waiting), None);
        let done = json!({"name": "a", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}});
        assert_eq!(one("initContainerStatuses", &done), None);
        let ready = json!({"name": "a", "ready": true, "state": {"running": {}}});
        assert_eq!(one("containerStatuses", &ready), None);
    }

    #[test]
    fn a_container_out_of_memory_is_told_so() {
        let status = json!({"name": "a", "restartCount": 1, "state": {"running": {}}, "ready": false,
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}});
        let found = one("containerStatuses", &status);
        assert!(
            found.is_some_and(|t| t.hint.is_some_and(|h| h.contains("limit")) && t.problem.contains("137"))
        );
    }
}
