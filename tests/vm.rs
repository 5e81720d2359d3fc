//! What only a kernel of one's own can show: modules, swap, parameters and SELinux, now and after a reboot.
//!
//! `cargo test --test vm`; `KEEP_LAB=1` leaves the lab for a look afterwards.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;

use support::cases::Cases;
use support::lab::skip::skipped;
use support::lab::{Lab, Ran};

mod support {
    pub(crate) mod cases;
    #[expect(dead_code, reason = "shared: other tests ask for more")]
    pub(crate) mod lab;
}

/// One with apt, and one with dnf whose SELinux is enforcing.
const MACHINES: [&str; 2] = ["vm50", "vm51"];

/// Longest boot, in seconds. On an idle machine it takes 15.
const BOOT_LIMIT: &str = "400";

/// Prints what is not as every prepared host has it where kube-proxy is to use IPVS.
const AS_IT_SHOULD_BE: &str = r#"
for module in overlay br_netfilter nf_conntrack ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh; do
  [ -d /sys/module/$module ] || echo "no module $module"
done
is() { value=$(cat /proc/sys/$1 || true); [ "$value" = "$2" ] || echo "$1 is $value, not $2"; }
is net/ipv4/ip_forward 1; is net/bridge/bridge-nf-call-iptables 1; is net/bridge/bridge-nf-call-ip6tables 1
is net/ipv4/ip_local_reserved_ports 30000-32767; is kernel/panic 10; is kernel/panic_on_oops 1
is vm/overcommit_memory 1; is vm/panic_on_oom 0; is kernel/hostname "$NAME"
sed 1d /proc/swaps
[ -e /proc/net/ip_vs ] || echo "IPVS does not answer"
if [ -e /sys/fs/selinux/enforce ]; then
  [ "$(getenforce)" = Enforcing ] || echo "SELinux is $(getenforce)"
  grep -qx SELINUX=enforcing /etc/selinux/config || echo "SELinux will not be enforcing"
fi
"#;

#[test]
fn kernels_are_prepared() {
    let Some(lab) = Lab::up("vm", 1, 0) else {
        return;
    };
    if let Err(reason) = boot(&lab) {
        skipped("vm", &reason);
        return;
    }
    let mut cases = Cases::of("vm", &lab);
    cases.foundation("modules, swap and kernel parameters", prepare);
    cases.case("a second apply changes nothing", second_apply);
    cases.case("all of it is still there after a reboot", reboot);
    cases.end();
}

/// Starts the machines side by side. The reason is told where this machine can't run them, or nobody has prepared them.
fn boot(lab: &Lab) -> Result<(), String> {
    lab.attempt(&["vm", "doctor"])?;
    let cache = std::env::var("LAB_ROOT").unwrap_or_else(|_| "/var/tmp/ci-bootstrap-lab".to_owned());
    for (kind, machine) in ["bookworm", "rocky9"].into_iter().zip(MACHINES) {
        if !Path::new(&cache).join(format!("vm/{kind}.raw")).is_file() {
            return Err(format!(
                "no VM of the kind {kind}: run 'LAB_VM_KIND={kind} tests/lab/lab vm prepare' first"
            ));
        }
        let number = lab.number(machine).to_string();
        lab.lab(&["vm", "up", "--kind", kind, &number]);
    }
    for machine in MACHINES {
        lab.lab(&["vm", "wait", &lab.number(machine).to_string(), BOOT_LIMIT]);
    }
    Ok(())
}

/// Machines as an installer leaves them, and then as a cluster needs them.
fn prepare(lab: &Lab) {
    let swaps = |machine| lab.ssh(machine, "cat /proc/swaps; cat /etc/fstab");
    for (machine, swap) in [
        ("vm50", "/swapfile"),
        ("vm50", "/dev/zram0"),
        ("vm51", "/swapfile"),
    ] {
        assert!(swaps(machine).contains(swap), "{machine}: no {swap} to turn off");
    }
    assert_eq!(lab.ssh("vm51", "getenforce").trim(), "Enforcing");
    for machine in MACHINES {
        assert_ne!(differences(lab, machine), "", "{machine} is not bare");
    }
    apply(lab);
    for machine in MACHINES {
        assert_eq!(differences(lab, machine), "", "{machine}");
    }
}

fn second_apply(lab: &Lab) {
    let apply = apply(lab);
    assert_eq!((apply.steps(), apply.changes()), ([].into(), 0));
}

/// Applies what every host gets first. Packages need no kernel of their own, and are unpacked for minutes in an emulation.
fn apply(lab: &Lab) -> Ran {
    let folder = lab.path("playbooks");
    fs_err::create_dir_all(&folder).unwrap();
    for name in ["00-values.yaml", "10-host.yaml"] {
        let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks").join(name);
        fs_err::copy(built_in, folder.join(name)).unwrap();
    }
    let folder = folder.display().to_string();
    lab.apply(&inventory(lab), &["--playbooks", &folder]).ended(0)
}

fn reboot(lab: &Lab) {
    for machine in MACHINES {
        lab.lab(&["vm", "reboot", &lab.number(machine).to_string()]);
    }
    for machine in MACHINES {
        assert_eq!(differences(lab, machine), "", "{machine}");
    }
    second_apply(lab);
}

fn differences(lab: &Lab, machine: &str) -> String {
    lab.ssh(machine, &format!("NAME={machine}\n{AS_IT_SHOULD_BE}"))
}

/// Machines that join nothing, with what a container host would have to be excused from.
fn inventory(lab: &Lab) -> String {
    let inventory = lab.lab(&["inventory", "--control-planes", "1", "1"]);
    let other = inventory.lines().find(|line| line.contains("name: cp1")).unwrap();
    let hosts = MACHINES.map(|machine| lab.lab(&["vm", "inventory-host", &lab.number(machine).to_string()]));
    inventory
        .replace(other, hosts.concat().trim_end())
        .replace("roles: [worker]", "roles: []")
        .replace("mode: nftables", "mode: ipvs")
        .replace("failCgroupV1: false", "failCgroupV1: true")
        .replace("[SystemVerification]", "[]")
}
