//! Versions with three parts.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A release, `major.minor.patch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// First part.
    pub major: u64,
    /// Second part.
    pub minor: u64,
    /// Third part.
    pub patch: u64,
}

impl Version {
    /// A release.
    pub const fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self { major, minor, patch }
    }

    /// `major.minor`.
    pub fn line(self) -> String {
        format!("{}.{}", self.major, self.minor)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('.').collect();
        let number = |part: &str| {
            let plain = part.bytes().all(|byte| byte.is_ascii_digit());
            let canonical = part == "0" || !part.starts_with('0');
            part.parse().ok().filter(|_| plain && canonical)
        };
        let numbers: Option<Vec<u64>> = parts.iter().map(|part| number(part)).collect();
        match numbers.as_deref() {
            Some([major, minor, patch]) => Ok(Self::new(*major, *minor, *patch)),
            _ if text.starts_with('v') => Err("write it without the `v`".to_owned()),
            Some([_, _]) => Err("the patch release is missing".to_owned()),
            _ => Err("it must be three numbers with dots between them".to_owned()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn three_numbers_make_a_version() {
        assert_eq!("1.36.4".parse(), Ok(Version::new(1, 36, 4)));
        for bad in [
            "1.36",
            "v1.36.4",
            "1.36.x",
            "1.36.04",
            "1.36.4-rc.1",
            "",
            "1.+3.4",
        ] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }
}
