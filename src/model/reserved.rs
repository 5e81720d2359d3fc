//! What kubelet keeps from pods, and how long it keeps images: mistakes here stop kubelet when its host has joined already.

use std::time::Duration;

use serde_json::Value;

use super::check::RuleContext;
use super::{code, duration, form};
use crate::diagnostic::Diagnostic;
use crate::inventory;

/// Fields of `KubeletConfiguration` that hold amounts by resource.
const RESERVED: [&str; 2] = ["kubeReserved", "systemReserved"];
/// The resources that kubelet can reserve (Kubernetes' "Reserve Compute Resources for System Daemons").
const RESOURCES: [&str; 4] = ["cpu", "memory", "ephemeral-storage", "pid"];
/// Without a word of the user's: ours for the longest, kubelet's own for the shortest.
const LONGEST: &str = "336h";
const SHORTEST: &str = "2m";

pub(super) fn check(written: &inventory::KubeletSpec, check: &mut RuleContext<'_>) {
    let fields = &written.extra_config;
    let span = fields.span;
    for field in RESERVED {
        if let Some(Err(reason)) = fields.get(field).map(amounts) {
            let title = format!("`{field}` can't be read: {reason}");
            let problem = Diagnostic::error(&code::BAD_QUANTITY, title).at(span, "in here");
            check.report(problem.help(format!("such as `{field}: {{ cpu: 200m, memory: 512Mi }}`")));
        }
    }
    let age = |field: &str, usual: &str| age(fields.get(field).unwrap_or(&Value::from(usual)));
    let (longest, shortest) = (
        age("imageMaximumGCAge", LONGEST),
        age("imageMinimumGCAge", SHORTEST),
    );
    if let (Some(longest), Some(shortest)) = (longest, shortest)
        && !longest.is_zero()
        && longest <= shortest
    {
        let problem = Diagnostic::error(
            &code::OUT_OF_RANGE,
            "`imageMaximumGCAge` is not longer than `imageMinimumGCAge`, so that kubelet would not start",
        );
        check.report(
            problem
                .at(span, "in here")
                .help("take a longer one, or `0s` to delete no image for its age"),
        );
    }
}

/// What is wrong with amounts by resource. `null` takes ours away.
fn amounts(value: &Value) -> Result<(), String> {
    let fields = match value {
        Value::Null => return Ok(()),
        Value::Object(fields) => fields,
        _ => return Err("it is a mapping of resources to amounts".to_owned()),
    };
    for (resource, amount) in fields {
        if !RESOURCES.contains(&resource.as_str()) {
            return Err(format!("`{resource}` is none of {}", RESOURCES.join(", ")));
        }
        match amount {
            Value::Null => {}
            Value::String(text) => {
                form::quantity(text).map_err(|reason| format!("{resource}: {reason}"))?;
            }
            _ => return Err(format!("{resource}: it is a text, such as \"1\"")),
        }
    }
    Ok(())
}

/// Nothing for what is no duration of ours: Go knows more of them, and kubeadm says what it can't read.
fn age(value: &Value) -> Option<Duration> {
    match value.as_str()? {
        "0s" | "0" => Some(Duration::ZERO),
        text => duration::parse(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_those_that_kubelet_takes() {
        for good in [
            json!(null),
            json!({}),
            json!({"cpu": "200m", "memory": "1Gi", "pid": "1000", "ephemeral-storage": null}),
        ] {
            assert_eq!(amounts(&good), Ok(()), "{good}");
        }
        for bad in [
            json!("1Gi"),
            json!({"memory": "1GB"}),
            json!({"cpu": 1}),
            json!({"gpu": "1"}),
            json!([]),
        ] {
            assert!(amounts(&bad).is_err(), "{bad}");
        }
    }
}
