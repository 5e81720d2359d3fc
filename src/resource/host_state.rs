//! What a probe's output says, by section.

use std::collections::HashMap;

use super::{Separator, Unreadable};

/// The sections of one probe's output.
#[derive(Debug, Clone, Default)]
pub struct HostState {
    sections: HashMap<String, String>,
}

/// The operating system of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Os {
    /// `ID` of os-release, such as `debian`.
    pub id: String,
    /// `VERSION_ID`, such as `12`.
    pub version: String,
    /// `VERSION_CODENAME`, such as `bookworm`; may be empty.
    pub codename: String,
    /// `debian`, `rhel` or `other`.
    pub family: String,
    /// Kernel release, such as `6.1.0-28-amd64`.
    pub kernel: String,
    /// Name of process 1.
    pub init: String,
}

impl Os {
    /// Major and minor of the kernel, `(0, 0)` where it can't be read.
    pub fn kernel_version(&self) -> (u32, u32) {
        let mut parts = self
            .kernel
            .split(|c: char| !c.is_ascii_digit())
            .map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }
}

/// A path as `stat` and `sha256sum` see it.
#[derive(Debug, Clone, PartialEq)]
pub struct FileState {
    /// `regular file`, `directory` …
    pub kind: String,
    /// Octal mode without leading zeros.
    pub mode: String,
    /// `user:group`.
    pub owner: String,
    /// Last change of the content, in seconds since 1970.
    pub modified: f64,
    /// Hex SHA-256, where it was asked for and the path is a readable file.
    pub sha256: Option<String>,
}

/// A package as its manager sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Full version with revision.
    pub version: String,
    /// Whether upgrades are kept off.
    pub held: bool,
}

/// A systemd unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// Whether systemd has a unit file for it.
    pub exists: bool,
    /// Whether it is masked.
    pub masked: bool,
    /// `active`, `inactive`, `failed`, `activating` …
    pub active: String,
    /// `enabled`, `disabled`, `static` …
    pub enabled: String,
    /// Whether its file on disk is newer than what systemd has read.
    pub needs_reload: bool,
    /// Start of its main process, in seconds since 1970.
    pub started: Option<f64>,
}

impl HostState {
    /// Reads the output of a probe with this separator; `None` when it broke off before its end.
    pub fn parse(output: &str, separator: &Separator) -> Option<Self> {
        Self::split(output, &separator.mark())
    }

    /// What a test says that a host has answered: sections that begin with `\x1e` and their name, and end with `\x1eend`.
    #[cfg(test)]
    pub(super) fn example(output: &str) -> Self {
        Self::split(output, "\x1e").unwrap_or_default()
    }

    fn split(output: &str, mark: &str) -> Option<Self> {
        let mut sections = HashMap::new();
        for part in output.split(mark).skip(1) {
            let (name, text) = part.split_once('\n')?;
            sections.insert(name.to_owned(), text.to_owned());
        }
        sections.contains_key("end").then_some(Self { sections })
    }

    /// The text of a section, empty when the probe had nothing to say.
    pub fn section(&self, name: &str) -> &str {
        self.sections.get(name).map_or("", String::as_str)
    }

    /// The operating system.
    pub fn os(&self) -> Os {
        let get = |key: &str| value(self.section("system"), key).unwrap_or_default().to_owned();
        Os {
            id: get("id"),
            version: get("version"),
            codename: get("codename"),
            family: get("family"),
            kernel: get("kernel"),
            init: get("init"),
        }
    }

    /// A path's state, `None` when it does not exist.
    pub fn path(&self, path: &str) -> Result<Option<FileState>, Unreadable> {
        let Some(line) = self
            .section("paths")
            .lines()
            .find(|line| line.splitn(5, '|').nth(4) == Some(path))
        else {
            return Ok(None);
        };
        let fields: Vec<_> = line.splitn(5, '|').collect();
        let [kind, mode, owner, modified, _] = fields[..] else {
            return Err(Unreadable {
                what: path.to_owned(),
                answer: line.to_owned(),
            });
        };
        let modified = modified.parse().map_err(|_| Unreadable {
            what: path.to_owned(),
            answer: line.to_owned(),
        })?;
        let sha256 = self.section("sums").lines().find_map(|line| {
            let (sum, name) = line.split_once("  ")?;
            (name == path).then(|| sum.to_owned())
        });
        let kind = if kind.starts_with("regular") {
            "regular file"
        } else {
            kind
        };
        Ok(Some(FileState {
            kind: kind.to_owned(),
            mode: mode.to_owned(),
            owner: owner.to_owned(),
            modified,
            sha256,
        }))
    }

    /// A file's content where it was fetched.
    pub fn content(&self, path: &str) -> Option<&str> {
        self.sections.get(&format!("content {path}")).map(String::as_str)
    }

    /// An installed package of either family.
    pub fn package(&self, name: &str) -> Option<Package> {
        let apt = self.section("apt").lines().find_map(|line| {
            let fields: Vec<_> = line.split('|').collect();
            let [package, version, want, "installed"] = fields[..] else {
                return None;
            };
            (package == name).then(|| Package {
                version: version.to_owned(),
                held: want == "hold",
            })
        });
        // What holds an rpm is its repository, which excludes it: that is a step of its own.
        let rpm = || {
            let (_, version) = self
                .section("rpm")
                .lines()
                .filter_map(|line| line.split_once('|'))
                .find(|(package, _)| *package == name)?;
            Some(Package {
                version: version.to_owned(),
                held: true,
            })
        };
        apt.or_else(rpm)
    }

    /// A unit by its full name (`kubelet.service`).
    pub fn unit(&self, name: &str) -> Unit {
        let block = self
            .section("units")
            .split("\n\n")
            .find(|block| value(block, "Id") == Some(name))
            .unwrap_or("");
        let get = |key: &str| value(block, key).unwrap_or_default();
        Unit {
            exists: get("LoadState") == "loaded",
            masked: get("LoadState") == "masked",
            active: get("ActiveState").to_owned(),
            enabled: get("UnitFileState").to_owned(),
            needs_reload: get("NeedDaemonReload") == "yes",
            started: timestamp(get("ExecMainStartTimestamp")),
        }
    }

    /// A sysctl's value with single blanks, `None` when this kernel has no such key.
    pub fn sysctl(&self, key: &str) -> Option<String> {
        let path = format!("/proc/sys/{}:", key.replace('.', "/"));
        let value = self
            .section("sysctls")
            .lines()
            .find_map(|line| line.strip_prefix(&path))?;
        Some(value.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Whether a kernel module is loaded or built in.
    pub fn module(&self, name: &str) -> bool {
        self.section("modules").lines().any(|line| line == name)
    }
}

/// The value of `key=value` among lines.
fn value<'a>(lines: &'a str, key: &str) -> Option<&'a str> {
    lines
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

/// `Sat 2026-11-21 10:53:01.123456 UTC`, as `systemctl --timestamp=us+utc` prints it.
fn timestamp(text: &str) -> Option<f64> {
    let mut words = text.split(' ').skip(1);
    let (date, time) = (words.next()?, words.next()?);
    let moment: jiff::Timestamp = format!("{date}T{time}Z").parse().ok()?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds since 1970 fit into 53 bits"
    )]
    Some(moment.as_microsecond() as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> HostState {
        let text = "noise\x1esystem\nid=rocky\nfamily=rhel\nkernel=5.14.0-503.el9.x86_64\n\x1epaths\n\
                    regular file|644|root:root|1700000000.2500000000|/etc/a|b\ndirectory|755|root:root|1.0|/etc/d\n\
                    \x1esums\naaaa  /etc/a|b\n\x1econtent /etc/a|b\nhello\n\x1erpm\nkubelet|1.36.4-1.1\npackage socat is not installed\n\
                    \x1eunits\nId=a.service\nLoadState=loaded\nActiveState=active\n\
                    UnitFileState=enabled\nNeedDaemonReload=no\nExecMainStartTimestamp=Sat 2026-11-21 10:53:01.500000 UTC\n\n\
                    Id=b.service\nLoadState=not-found\nActiveState=inactive\nExecMainStartTimestamp=\n\
                    \x1esysctls\n/proc/sys/net/ipv4/tcp_rmem:4096\t131072\t6291456\n\x1emodules\noverlay\n\x1eend\n";
        HostState::example(text)
    }

    #[test]
    fn reads_every_section() {
        let seen = seen();
        assert_eq!(seen.os().kernel_version(), (5, 14));
        let file = seen.path("/etc/a|b").ok().flatten();
        assert_eq!(
            file.as_ref().map(|file| (file.modified, file.sha256.as_deref())),
            Some((1_700_000_000.25, Some("aaaa")))
        );
        assert_eq!(seen.path("/etc/none"), Ok(None));
        assert_eq!(seen.content("/etc/a|b"), Some("hello\n"));
        assert_eq!(
            seen.package("kubelet"),
            Some(Package {
                version: "1.36.4-1.1".into(),
                held: true
            })
        );
        assert_eq!(seen.package("socat"), None);
        assert_eq!(seen.unit("a.service").started, Some(1_795_258_381.5));
        assert!(!seen.unit("b.service").exists);
        assert_eq!(
            seen.sysctl("net.ipv4.tcp_rmem").as_deref(),
            Some("4096 131072 6291456")
        );
        assert!(seen.module("overlay") && !seen.module("over"));
    }

    #[test]
    fn output_that_broke_off_is_no_observation() {
        let separator = Separator::random().unwrap_or_else(|error| unreachable!("{error}"));
        let mark = separator.mark();
        let whole = format!("{mark}system\nid=debian\n{mark}end\n");
        assert!(HostState::parse(&whole, &separator).is_some());
        assert!(HostState::parse(whole.trim_end_matches("end\n"), &separator).is_none());
    }

    #[test]
    fn a_file_can_not_forge_a_section() {
        let separator = Separator::random().unwrap_or_else(|error| unreachable!("{error}"));
        let mark = separator.mark();
        let output = format!(
            "{mark}content /etc/hosts\nlocalhost\n\x1econtrol-plane\nabsent\n\x1eend\n{mark}control-plane\nmember\n{mark}end\n"
        );
        let seen = HostState::parse(&output, &separator).unwrap_or_default();
        assert_eq!(seen.section("control-plane"), "member\n");
        assert_eq!(
            seen.content("/etc/hosts"),
            Some("localhost\n\x1econtrol-plane\nabsent\n\x1eend\n")
        );
    }
}
