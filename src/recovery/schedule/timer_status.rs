//! What a timer for bundles has done and will do.

use std::time::Duration;

use serde::Serialize;

use crate::recovery::{RecoveryError, failed};
use crate::transport::{Script, Transport};

use super::{SERVICE, TIMER, unit};

const LIMIT: Duration = Duration::from_secs(60);

/// What a timer for bundles has done and will do, in systemd's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TimerStatus {
    /// When it made the last bundle, or tried to; empty before the first.
    pub last: String,
    /// What became of it: `success`, or why not.
    pub result: String,
    /// When it makes the next.
    pub next: String,
}

/// Asks a host for its timer; none where it has none.
///
/// # Errors
/// When it can't be talked to.
pub async fn read_timer_status(
    host: &dyn Transport,
    name: &str,
) -> Result<Option<TimerStatus>, RecoveryError> {
    let (service, timer) = (unit(SERVICE), unit(TIMER));
    let script = format!(
        "systemctl -q is-enabled {timer} 2>/dev/null || exit 0
systemctl show -p LastTriggerUSec -p NextElapseUSecRealtime {timer}
systemctl show -p Result {service}
"
    );
    let output = host.exec(Script::new(script, LIMIT)).await?;
    if !output.success() {
        return Err(failed(name, "asking for its timer", &output.stderr));
    }
    Ok(read(&String::from_utf8_lossy(&output.stdout)))
}

fn read(shown: &str) -> Option<TimerStatus> {
    let value = |key: &str| {
        let values = shown.lines().filter_map(|line| line.split_once('='));
        let found = values.into_iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| value.to_owned())
    };
    Some(TimerStatus {
        last: value("LastTriggerUSec")?,
        result: value("Result")?,
        next: value("NextElapseUSecRealtime")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemds_words_are_read() {
        let shown = "NextElapseUSecRealtime=Sun 2026-11-22 00:00:12 UTC\nLastTriggerUSec=\nResult=success\n";
        let expected = TimerStatus {
            last: String::new(),
            result: "success".into(),
            next: "Sun 2026-11-22 00:00:12 UTC".into(),
        };
        assert_eq!(read(shown), Some(expected));
        assert_eq!(read(""), None);
    }
}
