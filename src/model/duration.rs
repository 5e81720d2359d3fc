//! Durations as Kubernetes writes them.

use std::time::Duration;

/// Reads `90s`, `5m`, `8760h` or `1h30m`.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || "a number and a unit, `s`, `m` or `h`, such as `20s`".to_owned();
    let mut seconds = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest
            .find(|letter: char| !letter.is_ascii_digit())
            .ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = match rest.as_bytes()[digits] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            _ => return Err(wrong()),
        };
        seconds = number
            .checked_mul(unit)
            .and_then(|part| seconds.checked_add(part))
            .ok_or_else(wrong)?;
        rest = &rest[digits + 1..];
    }
    if seconds == 0 {
        return Err("it must be longer than nothing".to_owned());
    }
    Ok(Duration::from_secs(seconds))
}

/// Writes a duration as Go does in full: `8760h0m0s`.
pub(super) fn go(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{}h{}m{}s", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(parse("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(parse("1h30m").map(go), Ok("1h30m0s".to_owned()));
        assert_eq!(parse("8760h").map(go), Ok("8760h0m0s".to_owned()));
        for bad in [
            "",
            "20",
            "s",
            "0s",
            "-1s",
            "1d",
            "99999999999999999999h",
            "5184607442407370956h",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
