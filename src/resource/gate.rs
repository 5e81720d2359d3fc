//! What a host must bring along, and no program should change.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::host_state::Os;
use super::{Action, ActionInput, Comparison, HostState, Probe, Resource, Unreadable};

/// Largest difference between a host's clock and this machine's, in seconds. Beyond it certificates seem not yet valid.
const SKEW: f64 = 30.0;

/// Conditions that are checked before anything is changed. Each names the preflight error of kubeadm that turns it off.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Gate {
    /// Least memory in MiB.
    #[serde(default)]
    pub memory: u64,
    /// Least number of processors.
    #[serde(default)]
    pub cpus: u64,
    /// Oldest kernel, as `MAJOR.MINOR`, and what needs it.
    #[serde(default)]
    pub kernel: Option<KernelRequirement>,
    /// Whether cgroup v2 is needed.
    #[serde(default)]
    pub cgroup2: bool,
    /// Checks that the inventory turns off, by kubeadm's names.
    #[serde(default)]
    pub ignore: Vec<String>,
}

/// A kernel requirement.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct KernelRequirement {
    /// `MAJOR.MINOR`.
    pub oldest: String,
    /// What needs it and what else could be done.
    pub reason: String,
}

/// Releases that the program knows: `ID` and the major versions. Kin of RHEL go by `rhel`.
const SUPPORTED: [(&str, &[&str]); 3] = [
    ("debian", &["12", "13"]),
    ("ubuntu", &["22.04", "24.04"]),
    ("rhel", &["9", "10"]),
];

fn supported(os: &Os) -> bool {
    let id = if os.family == "rhel" {
        "rhel"
    } else {
        os.id.as_str()
    };
    let major = os.version.split('.').next().unwrap_or_default();
    SUPPORTED.iter().any(|(name, versions)| {
        *name == id
            && versions
                .iter()
                .any(|version| *version == os.version || *version == major)
    })
}

fn older(kernel: (u32, u32), oldest: &str) -> bool {
    let mut parts = oldest.split('.').map(|part| part.parse().unwrap_or(0));
    kernel < (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

impl Gate {
    fn ignores(&self, check: &str) -> bool {
        self.ignore
            .iter()
            .any(|name| name.eq_ignore_ascii_case(check) || name == "all")
    }

    fn system_problems(&self, os: &Os) -> Vec<String> {
        let mut problems = Vec::new();
        if os.init != "systemd" {
            problems.push(format!("process 1 is {}, and systemd is needed", os.init));
        }
        if !supported(os) && !self.ignores("SystemVerification") {
            problems.push(format!(
                "{} {} is not one of the supported systems (Debian 12/13, Ubuntu 22.04/24.04, RHEL 9/10 and kin); \
                 to try all the same, put SystemVerification into cluster.kubeadm.ignorePreflightErrors",
                os.id, os.version
            ));
        }
        if let Some(kernel) = self
            .kernel
            .as_ref()
            .filter(|kernel| older(os.kernel_version(), &kernel.oldest))
        {
            problems.push(format!(
                "kernel {} is older than {}: {}",
                os.kernel, kernel.oldest, kernel.reason
            ));
        }
        problems
    }

    fn machine_problems(&self, machine: &GateAnswers) -> Vec<String> {
        let mut problems = Vec::new();
        if machine.memory < self.memory && !self.ignores("Mem") {
            problems.push(format!(
                "{} MiB of memory, and {} are needed (Mem)",
                machine.memory, self.memory
            ));
        }
        if machine.cpus < self.cpus && !self.ignores("NumCPU") {
            problems.push(format!(
                "{} processor(s), and {} are needed (NumCPU)",
                machine.cpus, self.cpus
            ));
        }
        if self.cgroup2 && !machine.cgroup2 && !self.ignores("SystemVerification") {
            problems.push(
                "cgroup v1, and kubelet wants v2: boot with systemd.unified_cgroup_hierarchy=1, or set cluster.kubelet.failCgroupV1 to \
                 false and put SystemVerification into cluster.kubeadm.ignorePreflightErrors"
                    .to_owned(),
            );
        }
        if (machine.now - now()).abs() > SKEW {
            problems.push(format!(
                "its clock is {:.0} s off this machine's; set it right (chronyc makestep), or certificates will not be valid yet",
                machine.now - now()
            ));
        }
        problems
    }
}

/// What the gate's own section of the probe says.
struct GateAnswers {
    memory: u64,
    cpus: u64,
    cgroup2: bool,
    now: f64,
}

impl GateAnswers {
    fn read(seen: &HostState) -> Result<Self, Unreadable> {
        let section = seen.section("gate");
        let unreadable = || Unreadable {
            what: "gate".to_owned(),
            answer: section.to_owned(),
        };
        let words: Vec<_> = section.split_whitespace().collect();
        let [memory, cpus, cgroup, now] = words[..] else {
            return Err(unreadable());
        };
        Ok(Self {
            memory: memory.parse::<u64>().map_err(|_| unreadable())? / 1024,
            cpus: cpus.parse().map_err(|_| unreadable())?,
            cgroup2: cgroup == "v2",
            // `NaN` is a number to the parser, and no distance from it is too large.
            now: now
                .parse()
                .ok()
                .filter(|now: &f64| now.is_finite())
                .ok_or_else(unreadable)?,
        })
    }
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

impl Resource for Gate {
    fn probe(&self, ask: &mut Probe) {
        // cgroup.controllers at the root exists with v2 alone.
        ask.script(
            "gate",
            "while read -r key value _; do [ $key = MemTotal: ] && { echo $value; break; }; done < /proc/meminfo\n\
             nproc\n[ -e /sys/fs/cgroup/cgroup.controllers ] && echo v2 || echo v1\ndate +%s.%N",
        );
    }

    fn compare(&self, seen: &HostState) -> Result<Comparison, Unreadable> {
        let mut problems = self.system_problems(&seen.os());
        problems.extend(self.machine_problems(&GateAnswers::read(seen)?));
        Ok(if problems.is_empty() {
            Comparison::InSync
        } else {
            Comparison::Refused(problems.join("\n"))
        })
    }

    fn action(&self, _seen: &HostState, _known: &ActionInput) -> Action {
        // Never asked for: a gate is either open or refuses.
        Action::quick("exit 1\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(id: &str, version: &str, kernel: &str, memory: u64) -> HostState {
        let text = format!(
            "\x1esystem\nid={id}\nversion={version}\nfamily={id}\nkernel={kernel}\ninit=systemd\n\x1egate\n{memory}\n2\nv1\n{}\n\x1eend\n",
            now()
        );
        HostState::example(&text)
    }

    #[test]
    fn a_clock_that_is_no_number_is_not_right() {
        for now in ["NaN", "inf", "-inf", "soon"] {
            let text = format!("\x1esystem\nid=debian\n\x1egate\n4000000\n2\nv2\n{now}\n\x1eend\n");
            assert!(GateAnswers::read(&HostState::example(&text)).is_err(), "{now}");
        }
    }

    fn gate(ignore: &[&str]) -> Gate {
        Gate {
            memory: 1700,
            cpus: 2,
            kernel: Some(KernelRequirement {
                oldest: "5.13".into(),
                reason: "set cluster.kubeProxy.mode to iptables".into(),
            }),
            cgroup2: true,
            ignore: ignore.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn all_problems_are_told_at_once_and_can_be_turned_off() {
        let Ok(Comparison::Refused(text)) = gate(&[]).compare(&seen("debian", "11", "5.10.0-1", 1_000_000))
        else {
            unreachable!()
        };
        assert_eq!(text.lines().count(), 4, "{text}");
        assert_eq!(
            gate(&["SystemVerification"]).compare(&seen("debian", "12", "6.1.0", 4_000_000)),
            Ok(Comparison::InSync)
        );
    }

    #[test]
    fn kin_of_rhel_go_by_their_major_version() {
        let os = |id: &str, family: &str, version: &str| Os {
            id: id.into(),
            version: version.into(),
            codename: String::new(),
            family: family.into(),
            kernel: String::new(),
            init: String::new(),
        };
        assert!(supported(&os("rocky", "rhel", "9.4")) && !supported(&os("rocky", "rhel", "8.10")));
        assert!(supported(&os("ubuntu", "debian", "24.04")) && !supported(&os("ubuntu", "debian", "24.10")));
    }
}
