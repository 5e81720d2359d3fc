//! Shell that the upgrade's kinds share.

use std::fmt::Write as _;

use super::super::sh;

/// Where apt puts what it downloads ahead: a folder of our own, which no other clean-up empties.
pub(super) const ARCHIVES: &str = "/var/cache/ci-bootstrap/archives";

/// Where a snapshot of etcd of before an upgrade is kept.
pub(super) const SNAPSHOTS: &str = "/var/lib/ci-bootstrap/upgrade";

const APT: &str = "export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
mkdir -p @ARCHIVES@/partial
dpkg --configure -a
held=$(apt-mark showhold @NAMES@)
apt-get -q -o DPkg::Lock::Timeout=300 -o Dir::Cache::archives=@ARCHIVES@ -o APT::Keep-Downloaded-Packages=true install -y --no-install-recommends \
  --allow-change-held-packages --allow-downgrades -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold @OPTION@ @PACKAGES@
[ -z \"$held\" ] || apt-mark hold $held";

/// Commands that install these packages at a release, or only download them. apt forgets that a package was held when it changes it.
pub(super) fn packages(names: &[&str], version: &str, download: bool) -> String {
    let joined = |sign: char| sh::words(names.iter().map(|name| format!("{name}{sign}{version}-*")));
    let option = |apt: &'static str| if download { apt } else { "" };
    let apt = APT
        .replace("@ARCHIVES@", ARCHIVES)
        .replace("@OPTION@", option("--download-only"))
        .replace("@PACKAGES@", &joined('='))
        .replace("@NAMES@", &sh::words(names.iter().copied()));
    format!(
        "if command -v apt-get >/dev/null; then\n{apt}\nelse\n  \
         dnf -q -y install --setopt=install_weak_deps=False --setopt=keepcache=True --disableexcludes=all {} {}\nfi\n",
        option("--downloadonly"),
        joined('-')
    )
}

/// Commands that read again the lists of the repositories that this program has written, and of no other.
pub(super) const REFRESH_LISTS: &str = "if command -v apt-get >/dev/null; then for list in /etc/apt/sources.list.d/ci-bootstrap-*.sources; do
  [ -e \"$list\" ] || continue
  apt-get -o DPkg::Lock::Timeout=300 -q update -o APT::Update::Error-Mode=any -o Dir::Etc::sourcelist=\"$list\" -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0
done; fi
";

/// Ends a script that fails with what a person needs to know: the state, and the way forward.
pub(super) fn explain_failure(lines: &[String]) -> String {
    let mut text = String::from("explain() { status=$?; [ $status = 0 ] && exit 0\necho\n");
    for line in lines {
        let _ = writeln!(text, "echo {}", sh::quote(line));
    }
    text.push_str("exit $status\n}\ntrap explain EXIT\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_packages_stay_held() {
        let script = packages(&["kubectl", "kubelet"], "1.36.5", false);
        let at = |text: &str| script.find(text);
        let [asked, installed, held] = [
            "showhold kubectl kubelet",
            "kubelet=1.36.5-*",
            "apt-mark hold $held",
        ]
        .map(at);
        assert!(
            asked.is_some() && asked < installed && installed < held,
            "{script}"
        );
    }

    #[test]
    fn scripts_are_shell() {
        for script in [
            packages(&["kubeadm"], "1.36.5", false),
            packages(&["kubeadm", "kubelet"], "1.36.5", true),
            REFRESH_LISTS.to_owned(),
            explain_failure(&["it's half-way".to_owned()]),
        ] {
            assert!(sh::is_valid(&script), "{script}");
        }
        assert!(!packages(&["kubeadm"], "1.36.5", false).contains("--download"));
    }
}
