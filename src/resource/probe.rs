//! One script that looks at everything a host's steps ask about, with as few processes as it can.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{Separator, sh};

/// Largest part of a differing file that is fetched for a diff, in bytes.
const SHOWN: u32 = 65_536;

/// Collects questions and turns them into a script. Asking the same twice costs nothing.
#[derive(Debug, Default)]
pub struct Probe {
    paths: BTreeMap<String, Option<String>>,
    contents: BTreeSet<String>,
    apt: BTreeSet<String>,
    rpm: BTreeSet<String>,
    units: BTreeSet<String>,
    sysctls: BTreeSet<String>,
    modules: BTreeSet<String>,
    scripts: BTreeMap<String, String>,
}

impl Probe {
    /// Kind, mode and owner of a path; with a wanted SHA-256, also its content where the sum differs.
    pub fn path(&mut self, path: &str, wanted: Option<String>) {
        let slot = self.paths.entry(path.to_owned()).or_default();
        if wanted.is_some() {
            *slot = wanted;
        }
    }

    /// A text file's content, whatever it is.
    pub fn content(&mut self, path: &str) {
        self.contents.insert(path.to_owned());
    }

    /// Version and hold of a package on Debian-based hosts.
    pub fn apt(&mut self, package: &str) {
        self.apt.insert(package.to_owned());
    }

    /// Version of a package on RHEL-based hosts.
    pub fn rpm(&mut self, package: &str) {
        self.rpm.insert(package.to_owned());
    }

    /// State and start time of a systemd unit.
    pub fn unit(&mut self, name: &str) {
        self.units.insert(name.to_owned());
    }

    /// Value of a sysctl key.
    pub fn sysctl(&mut self, key: &str) {
        self.sysctls.insert(key.to_owned());
    }

    /// Whether a kernel module is loaded or built in.
    pub fn module(&mut self, name: &str) {
        self.modules.insert(name.to_owned());
    }

    /// The output of a script of the kind's own, under `key`. For what has no question above.
    pub fn script(&mut self, key: &str, text: &str) {
        self.scripts.insert(key.to_owned(), text.to_owned());
    }

    /// The whole script, whose sections `separator` parts. It changes nothing and exits with 0.
    pub fn render(&self, separator: &Separator) -> String {
        let mark = separator.escaped();
        let mut out = format!("m() {{ printf '{mark}%s\\n' \"$1\"; }}\nexport LC_ALL=C\n");
        out.push_str(SYSTEM);
        self.append_path_section(&mut out);
        self.render_packages(&mut out);
        self.render_units(&mut out);
        self.render_kernel(&mut out);
        for (key, text) in &self.scripts {
            let _ = write!(out, "m {}\n( {text}\n) </dev/null 2>&1\n", sh::quote(key));
        }
        out.push_str("m end\n");
        out
    }

    fn append_path_section(&self, out: &mut String) {
        if !self.paths.is_empty() {
            let all = sh::words(self.paths.keys());
            let _ = write!(
                out,
                "m paths\nstat -c '%F|%a|%U:%G|%.Y|%n' -- {all} 2>/dev/null\n"
            );
        }
        let sums: Vec<_> = self
            .paths
            .iter()
            .filter_map(|(path, sum)| Some((path, sum.as_ref()?)))
            .collect();
        if !sums.is_empty() {
            let all = sh::words(sums.iter().map(|(path, _)| path));
            let _ = write!(
                out,
                "sums=\"$(sha256sum -- {all} 2>/dev/null)\n\"\nm sums\nprintf '%s' \"$sums\"\n"
            );
            out.push_str(
                "c() { case \"$sums\" in *\"$1  $2\n\"*) ;; *) [ -f \"$2\" ] && { m \"content $2\"; ",
            );
            let _ = write!(out, "head -c {SHOWN} \"$2\"; }} ;; esac; }}\n");
            for (path, sum) in sums {
                let _ = writeln!(out, "c {sum} {}", sh::quote(path));
            }
        }
        for path in &self.contents {
            let path = sh::quote(path);
            let _ = writeln!(
                out,
                "[ -f {path} ] && {{ m \"content \"{path}; head -c {SHOWN} {path}; }}"
            );
        }
    }

    fn render_packages(&self, out: &mut String) {
        if !self.apt.is_empty() {
            let _ = write!(
                out,
                "[ $family = debian ] && {{ m apt; dpkg-query -W -f \
                 '${{Package}}|${{Version}}|${{db:Status-Want}}|${{db:Status-Status}}\\n' {} 2>/dev/null; }}\n",
                sh::words(&self.apt)
            );
        }
        if !self.rpm.is_empty() {
            let _ = write!(
                out,
                "[ $family = rhel ] && {{ m rpm; rpm -q --qf '%{{NAME}}|%{{VERSION}}-%{{RELEASE}}\\n' {} 2>/dev/null; \
                 }}\n",
                sh::words(&self.rpm)
            );
        }
    }

    fn render_units(&self, out: &mut String) {
        if !self.units.is_empty() {
            // A unit that is just starting, as after a reboot, is waited for. One that starts in vain has this time to itself.
            let _ = write!(
                out,
                "m units\nn=0\nwhile\n\
                 units=$(systemctl show --timestamp=us+utc -p Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,\
                 ExecMainStartTimestamp,Job {} 2>/dev/null)\n\
                 case $units in *ActiveState=activating*|*Job=[1-9]*) [ $n -lt {STARTING} ] ;; *) false ;; esac\n\
                 do n=$((n+1)); sleep 1; done\nprintf '%s\\n' \"$units\"\n",
                sh::words(&self.units)
            );
        }
    }

    fn render_kernel(&self, out: &mut String) {
        if !self.sysctls.is_empty() {
            // Not `read`: it asks for one byte at a time, and some keys answer the first byte only.
            let paths = self
                .sysctls
                .iter()
                .map(|key| format!("/proc/sys/{}", key.replace('.', "/")));
            let _ = write!(out, "m sysctls\ngrep -H '' {} 2>/dev/null\n", sh::words(paths));
        }
        if !self.modules.is_empty() {
            out.push_str(
                "m modules\nbuiltin=\nl() { [ -d /sys/module/$1 ] && { echo $1; return; }\n\
                 [ -n \"$builtin\" ] || builtin=\"$(cat /lib/modules/$kernel/modules.builtin 2>/dev/null) \"\n\
                 case \"$builtin\" in */$1.ko*) echo $1 ;; esac; }\n",
            );
            for module in &self.modules {
                let _ = writeln!(out, "l {}", sh::quote(module));
            }
        }
    }
}

/// Seconds for which a unit that is starting is waited for: kubelet tries again after ten.
const STARTING: u32 = 15;

/// What every comparison may want to know about the system. `family` decides which package questions are asked.
const SYSTEM: &str = r#"ID= ID_LIKE= VERSION_ID= VERSION_CODENAME=
[ -r /etc/os-release ] && . /etc/os-release
case " $ID $ID_LIKE " in *" debian "*|*" ubuntu "*) family=debian ;; *" rhel "*|*" fedora "*|*" centos "*) family=rhel ;; *) family=other ;; esac
read -r kernel < /proc/sys/kernel/osrelease
read -r init < /proc/1/comm
m system
printf '%s\n' "id=$ID" "version=$VERSION_ID" "codename=$VERSION_CODENAME" "family=$family" "kernel=$kernel" "init=$init"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_a_script_that_sh_accepts_and_that_ends() {
        let mut probe = Probe::default();
        probe.path("/etc/hostname", Some("0".repeat(64)));
        probe.path("/no such'file", None);
        probe.content("/etc/hosts");
        probe.sysctl("net.ipv4.ip_forward");
        probe.module("no_such_module");
        probe.script("mine", "echo hello; exit 3");
        let separator = Separator::random().unwrap_or_else(|error| unreachable!("{error}"));
        let output = run_locally(&probe.render(&separator));
        for section in [
            "system",
            "paths",
            "sums",
            "content /etc/hostname",
            "content /etc/hosts",
            "sysctls",
            "mine",
            "end",
        ] {
            assert!(
                output.contains(&format!("{}{section}\n", separator.mark())),
                "no section {section} in {output:?}"
            );
        }
        assert!(output.contains("/proc/sys/net/ipv4/ip_forward:"));
        assert!(output.contains("hello"));
    }

    #[expect(clippy::unwrap_used, reason = "a test machine has sh")]
    fn run_locally(script: &str) -> String {
        let output = std::process::Command::new("sh")
            .arg("-c")
            .arg(script)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}
