//! The cluster's events about one object, each said once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

/// How many of the latest are kept.
const KEPT: usize = 4;
/// What still goes wrong is said again at least every five minutes or so; what was said before is of another time. Seconds.
const NEWS: i64 = 15 * 60;

/// The latest warnings about an object, newest first: `FailedMount (x3, 12 s ago): …`.
pub(super) fn warnings(events: &[Value], kind: &str, name: &str, now: Timestamp) -> Vec<String> {
    event_lines(events, kind, name, now, |event| event["type"] == "Warning")
}

/// The same for all events that `is_told`.
pub(super) fn event_lines(
    events: &[Value],
    kind: &str,
    name: &str,
    now: Timestamp,
    is_told: impl Fn(&Value) -> bool,
) -> Vec<String> {
    let about = events
        .iter()
        .filter(|e| e["involvedObject"]["kind"] == kind && e["involvedObject"]["name"] == name)
        .filter(|event| seen(event).is_none_or(|seen| now.as_second() - seen.as_second() <= NEWS))
        .filter(|event| is_told(event));
    let mut known: BTreeMap<(&str, &str), (Option<Timestamp>, i64)> = BTreeMap::new();
    for event in about {
        let text = |field: &str| event[field].as_str().unwrap_or_default();
        let entry = known.entry((text("reason"), text("message"))).or_default();
        entry.0 = entry.0.max(seen(event));
        entry.1 += count(event);
    }
    let mut found: Vec<_> = known.into_iter().collect();
    found.sort_by_key(|(_, (seen, _))| std::cmp::Reverse(*seen));
    let line = |((reason, message), (seen, count)): ((&str, &str), (Option<Timestamp>, i64))| {
        format!(
            "{reason} ({}{}): {}",
            times(count),
            age(seen, now),
            message.trim()
        )
    };
    found.into_iter().take(KEPT).map(line).collect()
}

fn seen(event: &Value) -> Option<Timestamp> {
    [
        &event["series"]["lastObservedTime"],
        &event["lastTimestamp"],
        &event["eventTime"],
        &event["metadata"]["creationTimestamp"],
    ]
    .into_iter()
    .find_map(|time| time.as_str()?.parse().ok())
}

fn count(event: &Value) -> i64 {
    let series = event["series"]["count"].as_i64();
    series.or(event["count"].as_i64()).unwrap_or(1).max(1)
}

fn times(count: i64) -> String {
    if count > 1 {
        format!("x{count}, ")
    } else {
        String::new()
    }
}

fn age(seen: Option<Timestamp>, now: Timestamp) -> String {
    let Some(seen) = seen else {
        return "at an unknown time".into();
    };
    match (now.as_second() - seen.as_second()).max(0) {
        seconds @ 0..120 => format!("{seconds} s ago"),
        seconds => format!("{} min ago", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_said_long_ago_is_no_news() {
        let event = |reason: &str, time: &str| {
            json!({"involvedObject": {"kind": "Pod", "name": "a"}, "type": "Warning", "reason": reason,
                "message": "m", "lastTimestamp": time})
        };
        let events = [
            event("Failed", "2026-11-21T10:00:00Z"),
            event("FailedMount", "2026-11-21T10:34:00Z"),
        ];
        let now = "2026-11-21T10:36:00Z".parse().unwrap();
        assert_eq!(warnings(&events, "Pod", "a", now), ["FailedMount (2 min ago): m"]);
    }

    #[test]
    fn the_same_warning_is_said_once_with_its_count() {
        let event = |reason: &str, time: &str, count: i64| {
            json!({"involvedObject": {"kind": "Pod", "name": "a"}, "type": "Warning", "reason": reason,
                "message": "m", "lastTimestamp": time, "count": count})
        };
        let events = [
            event("Failed", "2026-11-21T10:00:00Z", 2),
            event("Failed", "2026-11-21T10:01:00Z", 1),
            event("FailedMount", "2026-11-21T10:01:30Z", 1),
            json!({"involvedObject": {"kind": "Pod", "name": "b"}, "type": "Warning", "reason": "Other"}),
            json!({"involvedObject": {"kind": "Pod", "name": "a"}, "type": "Normal", "reason": "Pulling"}),
        ];
        let now = "2026-11-21T10:01:40Z".parse().unwrap();
        assert_eq!(
            warnings(&events, "Pod", "a", now),
            ["FailedMount (10 s ago): m", "Failed (x3, 40 s ago): m"]
        );
    }
}
