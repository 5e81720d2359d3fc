//! Numbers, times and lists as people write them.

use std::time::Duration;

/// The places that aren't hosts.
const CLUSTER: &str = "cluster";
const REGISTRIES: &str = "registries";

/// `1 change`, `2 changes`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `3.2s`, `45s`, `2m05s`, `1h02m`.
pub(super) fn took(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", time.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// `02:05`, for a clock that runs.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds / 3600 {
        0 => format!("{:02}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

/// `2 hosts and the cluster`, `2 hosts, the registries and the cluster`.
pub(super) fn places<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    let others = [REGISTRIES, CLUSTER]
        .into_iter()
        .filter(|other| names.contains(other));
    let mut parts: Vec<_> = others.map(|other| format!("the {other}")).collect();
    let hosts = names.len() - parts.len();
    if hosts > 0 || parts.is_empty() {
        parts.insert(0, count(hosts, "host"));
    }
    let last = parts.pop().unwrap_or_default();
    if parts.is_empty() {
        last
    } else {
        format!("{} and {last}", parts.join(", "))
    }
}

/// `a, b, c and 7 more`.
pub(super) fn list(names: &[String], most: usize) -> String {
    let shown = names.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{clock, list, places, took};

    #[test]
    fn times_have_the_precision_that_matters() {
        let shown = |seconds: f64| took(Duration::from_secs_f64(seconds));
        assert_eq!([shown(0.04), shown(9.9), shown(59.9)], ["0.0s", "9.9s", "59s"]);
        assert_eq!([shown(125.0), shown(3720.0)], ["2m05s", "1h02m"]);
        assert_eq!(clock(Duration::from_secs(3725)), "1:02:05");
    }

    #[test]
    fn the_cluster_is_not_a_host() {
        assert_eq!(
            places(["m", "cluster", "w"].into_iter()),
            "2 hosts and the cluster"
        );
        assert_eq!(places(["cluster"].into_iter()), "the cluster");
        assert_eq!(places(["m"].into_iter()), "1 host");
        assert_eq!(
            places(["m", "registries", "cluster"].into_iter()),
            "1 host, the registries and the cluster"
        );
    }

    #[test]
    fn long_lists_end_in_a_number() {
        let names = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(list(&names, 2), "a, b and 1 more");
        assert_eq!(list(&names, 3), "a, b, c");
    }
}
