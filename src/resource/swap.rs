//! No swap, now and after a reboot.

use serde::Deserialize;

use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Unreadable, sh, site_file};

const FSTAB: &str = "/etc/fstab";
const ZRAM: &str = "/etc/systemd/zram-generator.conf";
/// What we put before a line that is not to count any more, so that it can be taken away again.
const OFF: &str = "# off by ci-bootstrap: ";
/// What an empty configuration of the generator says, where the site had none.
const NO_ZRAM: &str = "# Written by ci-bootstrap: kubelet needs swap off.";
/// Services that make swap in compressed memory: of Debian's zram-tools and of Ubuntu's zram-config.
const SERVICES: [&str; 2] = ["zramswap.service", "zram-config.service"];

/// Names the units that we have masked, a line each: those that the site had masked before stay so after a reset.
const MASKED: &str = "/var/lib/ci-bootstrap/masked-for-swap";

/// An entry whose third column says `swap`, as an extended regular expression for bytes.
const ENTRY: &str =
    "^[[:space:]]*[^#[:space:]][^[:space:]]*[[:space:]]+[^[:space:]]+[[:space:]]+swap([[:space:]]|$)";
/// A line of a configuration that counts.
const COUNTS: &str = "^[[:space:]]*[^#[:space:]]";

/// Swap off: areas in use, fstab, swap units and zram.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Swap {}

/// Commands that print the lines of a file that match.
fn matching(path: &str, pattern: &str) -> String {
    let pattern = sh::quote(pattern);
    format!(
        "LC_ALL=C grep -aEs -e {pattern} -- {} | head -c 65536\n",
        sh::quote(path)
    )
}

/// Commands that turn matching lines of a file into comments.
fn turn_off(path: &str, pattern: &str) -> String {
    let program = sh::quote(&format!("/{pattern}/s/^/{OFF}/"));
    let sed = format!("LC_ALL=C sed -E -e {program} -- \"$old\"");
    site_file::edit(path, &sed)
}

/// Commands that turn such comments into lines again, if there are any.
fn turn_on(path: &str) -> String {
    let sed = format!(
        "LC_ALL=C sed -e {} -- \"$old\"",
        sh::quote(&format!("s/^{OFF}//"))
    );
    format!(
        "if LC_ALL=C grep -aqs -e '^{OFF}' -- {}; then\n{}fi\n",
        sh::quote(path),
        site_file::edit(path, &sed)
    )
}

/// Swap areas that are in use, by `/proc/swaps`.
fn in_use(seen: &HostState) -> Vec<&str> {
    seen.section("swaps")
        .lines()
        .filter(|line| line.starts_with('/'))
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

/// Whether a zram generator is installed and would make swap at the next boot.
fn makes_zram(seen: &HostState) -> bool {
    seen.section("swaps").lines().any(|line| line == "zram-generator")
}

/// Services that would make swap at the next boot.
fn services(seen: &HostState) -> impl Iterator<Item = &'static str> {
    SERVICES.into_iter().filter(|name| {
        let unit = seen.unit(name);
        unit.exists && (unit.enabled == "enabled" || unit.active == "active")
    })
}

/// Commands that mask a unit. It is on record before: a run that was killed in between has masked nothing that stays.
fn mask(unit: &str, flags: &str) -> String {
    format!(
        "mkdir -p -m 700 /var/lib/ci-bootstrap\n\
         grep -qxsF {unit} {MASKED} || echo {unit} >>{MASKED}\n\
         systemctl -q mask {flags}{unit}\n"
    )
}

/// Commands that unmask what [`mask`] has masked.
const UNMASK: &str = "if [ -e /var/lib/ci-bootstrap/masked-for-swap ]; then
  while read -r unit; do systemctl -q unmask \"$unit\" 2>/dev/null || true; done </var/lib/ci-bootstrap/masked-for-swap
  rm -f /var/lib/ci-bootstrap/masked-for-swap
fi
";

impl Resource for Swap {
    fn probe(&self, ask: &mut Probe) {
        ask.unit("swap.target");
        for service in SERVICES {
            ask.unit(service);
        }
        ask.script("fstab", &matching(FSTAB, ENTRY));
        // The generator makes a device for each section, and has defaults of the distribution where there is no file.
        ask.script(
            "swaps",
            &format!(
                "while read -r line; do echo \"$line\"; done < /proc/swaps\n\
                 [ ! -e /usr/lib/systemd/system-generators/zram-generator ] || {{ [ -e {ZRAM} ] && ! grep -aq '^[[:space:]]*\\[' {ZRAM}; }} || echo zram-generator"
            ),
        );
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let mut lines: Vec<_> = in_use(seen)
            .iter()
            .map(|area| format!("-swap on {area}"))
            .collect();
        if !seen.unit("swap.target").masked {
            lines.push("+swap.target masked".to_owned());
        }
        lines.extend(services(seen).map(|service| format!("+{service} masked")));
        if makes_zram(seen) {
            lines.push(format!("+{ZRAM} without devices"));
        }
        for entry in seen.section("fstab").lines() {
            lines.extend([format!("-{entry}"), format!("+{OFF}{entry}")]);
        }
        Ok(Comparison::from_lines("turn swap off", lines))
    }

    fn action(&self, seen: &HostState, _known: &ActionInput) -> Action {
        let mut script = String::new();
        if !seen.section("fstab").is_empty() {
            script.push_str(&site_file::keep_copy(FSTAB));
            script.push_str(&turn_off(FSTAB, ENTRY));
        }
        if makes_zram(seen) {
            let made = site_file::edit(ZRAM, &sh::print(NO_ZRAM));
            let off = turn_off(ZRAM, COUNTS);
            script.push_str(&format!("if [ -e {ZRAM} ]; then\n{off}else\n{made}fi\n"));
        }
        if !seen.unit("swap.target").masked {
            script.push_str(&mask("swap.target", ""));
        }
        for service in services(seen) {
            script.push_str(&mask(service, "--now "));
        }
        script.push_str("systemctl daemon-reload\n");
        if !in_use(seen).is_empty() {
            script.push_str("swapoff -a\n");
        }
        Action::quick(script)
    }

    /// Swap comes back with the next boot, as the site's files say.
    fn undo(&self) -> Option<String> {
        Some(format!(
            "{}if [ \"$(cat {ZRAM} 2>/dev/null)\" = \"{NO_ZRAM}\" ]; then rm -f {ZRAM}; fi\n{}{UNMASK}",
            turn_on(FSTAB),
            turn_on(ZRAM)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::site_file::tests::{Site, any_bytes, run};
    use super::*;
    use proptest::prelude::*;

    fn without_swap(fstab: &[u8]) -> Vec<u8> {
        let site = Site::with(fstab, false);
        let (done, printed) = run(&turn_off(&site.path(), ENTRY));
        assert!(done, "{printed}");
        assert_eq!(run(&matching(&site.path(), ENTRY)), (true, String::new()));
        site.content()
    }

    #[test]
    fn only_entries_of_type_swap_are_turned_off() {
        let fstab = "# /swapfile none swap sw 0 0\n/dev/swapper /data ext4 noswap 0 1\n/swapfile none swap sw 0 0\nUUID=1\tnone\tswap\tsw\t0 0\n";
        let expected = "# /swapfile none swap sw 0 0\n/dev/swapper /data ext4 noswap 0 1\n\
                        # off by ci-bootstrap: /swapfile none swap sw 0 0\n# off by ci-bootstrap: UUID=1\tnone\tswap\tsw\t0 0\n";
        assert_eq!(without_swap(fstab.as_bytes()), expected.as_bytes());
        assert_eq!(without_swap(expected.as_bytes()), expected.as_bytes());
    }

    #[test]
    fn other_encodings_and_line_ends_stay() {
        let fstab =
            b"/dev/sda1 /mnt/donn\xe9es ext4 defaults 0 2\r\n/swap\xe9 none swap\r\n\x1e\0\n/last none swap";
        let expected = b"/dev/sda1 /mnt/donn\xe9es ext4 defaults 0 2\r\n# off by ci-bootstrap: /swap\xe9 none swap\r\n\x1e\0\n# off by ci-bootstrap: /last none swap";
        assert_eq!(without_swap(fstab), expected);
    }

    #[test]
    fn a_service_that_makes_zram_is_masked_unless_it_is_off_already() {
        let seen = |enabled: &str, state: &str| {
            HostState::example(&format!(
                "\x1eunits\nId=swap.target\nLoadState=masked\n\nId=zramswap.service\nLoadState={state}\nUnitFileState={enabled}\n\x1eend\n"
            ))
        };
        let Ok(Comparison::Differs(change)) = (Swap {}).compare(&seen("enabled", "loaded")) else {
            unreachable!()
        };
        assert_eq!(change.detail, ["+zramswap.service masked"]);
        let action = (Swap {}).action(&seen("enabled", "loaded"), &ActionInput::default());
        assert!(action.script.contains("mask --now zramswap.service"));
        assert_eq!(
            (Swap {}).compare(&seen("disabled", "loaded")),
            Ok(Comparison::InSync)
        );
        assert_eq!(
            (Swap {}).compare(&seen("masked", "masked")),
            Ok(Comparison::InSync)
        );
    }

    #[test]
    fn only_what_we_have_masked_is_unmasked() {
        let site = Site::with(b"", false);
        let folder = format!("{}.lib", site.path());
        let here = |script: &str| script.replace("/var/lib/ci-bootstrap", &folder);
        // The site has masked swap.target itself.
        let seen = HostState::example(
            "\x1eunits\nId=swap.target\nLoadState=masked\n\nId=zramswap.service\nLoadState=loaded\nUnitFileState=enabled\n\x1eend\n",
        );
        let action = (Swap {}).action(&seen, &ActionInput::default()).script;
        let shell = "systemctl() { echo \"$*\"; }\n";
        let (done, said) = run(&here(&format!(
            "set -eu\n{shell}{action}{action}{UNMASK}{UNMASK}"
        )));
        assert!(done, "{said}");
        let unmasked: Vec<_> = said.lines().filter(|line| line.contains("unmask")).collect();
        assert_eq!(unmasked, ["-q unmask zramswap.service"], "{said}");
        assert!(!said.contains("mask swap.target"), "{said}");
    }

    #[test]
    fn the_scripts_are_valid_shell() {
        let seen = HostState::example("\x1eswaps\nzram-generator\n\x1efstab\n/s none swap\n\x1eend\n");
        let action = (Swap {}).action(&seen, &ActionInput::default());
        for script in [action.script, (Swap {}).undo().unwrap_or_default()] {
            assert!(sh::is_valid(&script), "{script}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]
        #[test]
        fn a_file_of_any_bytes_comes_back_as_it_was(before in any_bytes(), after in any_bytes(), linked: bool) {
            let mut text = before;
            text.extend_from_slice(b"\n/swapfile none swap sw 0 0\n");
            text.extend_from_slice(&after);
            let site = Site::with(&text, linked);
            for pattern in [ENTRY, COUNTS] {
                prop_assert!(run(&turn_off(&site.path(), pattern)).0);
                prop_assert_ne!(&site.content(), &text);
                prop_assert_eq!(run(&turn_on(&site.path())), (true, String::new()));
                prop_assert_eq!(&site.content(), &text);
            }
            prop_assert!(site.is_whole(linked));
        }
    }
}
