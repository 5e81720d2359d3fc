//! No swap, now and after a reboot.

use serde::Deserialize;

use super::text_diff::diff;
use super::{Action, Known, Probe, Resource, Seen, Unreadable, Verdict, sh};

const FSTAB: &str = "/etc/fstab";
const ZRAM: &str = "/etc/systemd/zram-generator.conf";

/// Swap off: areas in use, fstab, swap units and zram.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Swap {}

/// fstab with its swap entries commented out: those whose third column says so, and no others.
fn without_swap(fstab: &str) -> String {
    let comment = |line: &str| {
        let is_swap = !line.trim_start().starts_with('#') && line.split_whitespace().nth(2) == Some("swap");
        if is_swap {
            format!("# off by ci-bootstrap: {line}\n")
        } else {
            format!("{line}\n")
        }
    };
    fstab.lines().map(comment).collect()
}

/// Swap areas that are in use, by `/proc/swaps`.
fn in_use(seen: &Seen) -> Vec<&str> {
    seen.section("swaps")
        .lines()
        .filter(|line| line.starts_with('/'))
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

/// Whether a zram generator is installed and would make swap at the next boot.
fn makes_zram(seen: &Seen) -> bool {
    seen.section("swaps").lines().any(|line| line == "zram-generator")
        && seen
            .content(ZRAM)
            .is_none_or(|text| text.lines().any(|line| line.trim_start().starts_with('[')))
}

impl Resource for Swap {
    fn probe(&self, ask: &mut Probe) {
        ask.path(FSTAB, None);
        ask.content(FSTAB);
        ask.content(ZRAM);
        ask.unit("swap.target");
        ask.script(
            "swaps",
            "while read -r line; do echo \"$line\"; done < /proc/swaps\n\
             [ ! -e /usr/lib/systemd/system-generators/zram-generator ] || echo zram-generator",
        );
    }

    fn compare(&self, seen: &Seen) -> Result<Verdict, Unreadable> {
        let mut lines: Vec<_> = in_use(seen)
            .iter()
            .map(|area| format!("-swap on {area}"))
            .collect();
        if !seen.unit("swap.target").masked {
            lines.push("+swap.target masked".to_owned());
        }
        if makes_zram(seen) {
            lines.push(format!("+{ZRAM} empty"));
        }
        let fstab = seen.content(FSTAB).unwrap_or("");
        let wanted = without_swap(fstab);
        if fstab.trim_end() != wanted.trim_end() {
            lines.extend(diff(fstab, &wanted));
        }
        Ok(Verdict::from_lines("turn swap off", lines))
    }

    fn action(&self, seen: &Seen, _known: &Known) -> Action {
        let fstab = seen.content(FSTAB).unwrap_or("");
        let wanted = without_swap(fstab);
        let mut script = String::new();
        if fstab.trim_end() != wanted.trim_end() {
            let mode = seen
                .path(FSTAB)
                .ok()
                .flatten()
                .map_or_else(|| "0644".to_owned(), |state| state.mode);
            // The copy keeps the site's own entries findable; the first one is the one worth keeping.
            script.push_str(
                "[ -e /etc/fstab.before-ci-bootstrap ] || cp -p /etc/fstab /etc/fstab.before-ci-bootstrap\n",
            );
            script.push_str(&sh::write_file(FSTAB, &wanted, &mode, "root:root"));
        }
        if makes_zram(seen) {
            script.push_str(&sh::write_file(
                ZRAM,
                "# emptied by ci-bootstrap: kubelet needs swap off\n",
                "0644",
                "root:root",
            ));
        }
        script.push_str("systemctl -q mask swap.target\nsystemctl daemon-reload\n");
        if !in_use(seen).is_empty() {
            script.push_str("swapoff -a\n");
        }
        Action::quick(script)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_entries_of_type_swap_are_turned_off() {
        let fstab = "# /swapfile none swap sw 0 0\n/dev/swapper /data ext4 noswap 0 1\n/swapfile none swap sw 0 0\nUUID=1\tnone\tswap\tsw\t0 0\n";
        let expected = "# /swapfile none swap sw 0 0\n/dev/swapper /data ext4 noswap 0 1\n\
                        # off by ci-bootstrap: /swapfile none swap sw 0 0\n# off by ci-bootstrap: UUID=1\tnone\tswap\tsw\t0 0\n";
        assert_eq!(without_swap(fstab), expected);
        assert_eq!(without_swap(expected), expected);
    }
}
