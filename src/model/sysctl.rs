//! Kernel parameters of the site.

use std::collections::BTreeMap;

use super::check::RuleContext;
use super::code;
use crate::diagnostic::Diagnostic;
use crate::inventory::ParameterValue;
use crate::yaml::{Entries, Spanned};

/// Parameters that playbooks/00-values.yaml sets.
const MANAGED: [&str; 15] = [
    "fs.inotify.max_user_instances",
    "fs.inotify.max_user_watches",
    "kernel.keys.root_maxbytes",
    "kernel.keys.root_maxkeys",
    "kernel.panic",
    "kernel.panic_on_oops",
    "net.bridge.bridge-nf-call-ip6tables",
    "net.bridge.bridge-nf-call-iptables",
    "net.ipv4.ip_forward",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv6.conf.all.forwarding",
    "net.ipv6.conf.default.forwarding",
    "vm.max_map_count",
    "vm.overcommit_memory",
    "vm.panic_on_oom",
];

pub(super) fn check(
    written: &Entries<Spanned<ParameterValue>>,
    check: &mut RuleContext<'_>,
) -> Option<BTreeMap<String, String>> {
    let parameters: Vec<_> = written
        .iter()
        .map(|(key, value)| {
            let name = check.parse(key, &code::BAD_PARAMETER, "kernel parameter", name);
            let text = Spanned {
                value: value.value.0.clone(),
                span: value.span,
            };
            let value = check.parse(
                &text,
                &code::BAD_PARAMETER,
                "value of a kernel parameter",
                self::value,
            );
            Some((name?, value?))
        })
        .collect();
    for (key, _) in written
        .iter()
        .filter(|(key, _)| MANAGED.contains(&key.value.as_str()))
    {
        let title = format!("`{}` is set by ci-bootstrap", key.value);
        let problem = Diagnostic::error(&code::MANAGED_PARAMETER, title).at(key.span, "");
        check.report(problem.help(
            "remove it here; of a parameter that has a least value, a host's own larger one is left alone",
        ));
    }
    parameters.into_iter().collect()
}

/// A name as in sysctl.conf(5), with dots: a path of files below /proc/sys.
fn name(text: &str) -> Result<String, String> {
    let is_part = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        !part.is_empty() && !part.starts_with('-') && part.bytes().all(plain)
    };
    if text.split('.').count() < 2 || !text.split('.').all(is_part) {
        return Err("words with dots between them, such as `net.core.somaxconn`".to_owned());
    }
    Ok(text.to_owned())
}

/// A value as /proc/sys shows it, with one blank between its parts.
fn value(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" ._:/,%+-".contains(&byte);
    let words: Vec<_> = text.split_ascii_whitespace().collect();
    if words.is_empty() || !text.bytes().all(plain) {
        return Err("numbers or words".to_owned());
    }
    Ok(words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_names_and_values_in_one_line() {
        for good in [
            "vm.swappiness",
            "net.ipv4.conf.all.rp_filter",
            "net.core.somaxconn",
        ] {
            assert!(name(good).is_ok(), "{good}");
        }
        for bad in [
            "", "vm", "vm.", ".vm", "vm..a", "vm.a b", "vm.a\nx", "../etc", "vm.$(id)", "-w.a",
        ] {
            assert!(name(bad).is_err(), "{bad}");
        }
        assert_eq!(value("4096  87380 6291456").as_deref(), Ok("4096 87380 6291456"));
        for bad in ["", " ", "1\nkernel.modprobe = /tmp/x", ">=5", "$(id)", "{{ x }}"] {
            assert!(value(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_playbooks_parameters_are_known() {
        let values = include_str!("../../playbooks/00-values.yaml");
        let (_, rest) = values.split_once("  kernelParameters:\n").unwrap_or_default();
        let lines = rest.lines().take_while(|line| line.starts_with("    "));
        let mut names: Vec<_> = lines.filter_map(|line| line.trim().split(':').next()).collect();
        names.extend(["net.ipv6.conf.all.forwarding", "net.ipv6.conf.default.forwarding"]);
        names.sort_unstable();
        assert_eq!(names, MANAGED);
    }
}
