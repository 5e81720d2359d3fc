#!/bin/bash
# vm/cgroup2.sh [HOSTS]   Does a lab come up on a machine as Debian 13 installs it, with cgroup v2 alone? In a VM with Debian 13's kernel that
# hosts a lab of HOSTS (1) hosts itself: bare hosts to a Ready cluster, and a second apply that changes nothing. A rehearsal: some ten
# minutes in emulation. Needs `lab prepare`, `LAB_VM_KIND=bookworm-lab lab vm prepare`, and the program, built by cargo build.
set -euo pipefail
export LAB_NAME=cgroup2 LAB_VM_KIND=bookworm-lab LAB_VM_MEMORY=${LAB_VM_MEMORY:-6000}
. "$(dirname "$0")/../lib.sh"; . "$LAB_HERE/checks.sh"
hosts=${1:-1} program=${PROGRAM:-$LAB_HERE/../../target/debug/ci-bootstrap}
lab() { "$LAB_HERE/lab" "$@"; }
on() { lab_ssh 50 "cd /srv && export LAB_ROOT=/srv/cache LAB_NAME=inner; $1"; }
[ -x "$program" ] || die "no program at $program: run 'cargo build'"
trap 'lab down' EXIT

copy_lab() { # the scripts, the program without what only a debugger wants, and the cache as far as hosts are made of it
  local stripped; stripped=$(mktemp); strip -o "$stripped" "$program"; chmod +x "$stripped"
  { tar -C "$LAB_HERE/../.." -cf - tests/lab
    tar -C "$LAB_ROOT" --transform 's|^|cache/|' -cf - bin gpg id_ed25519 id_ed25519.pub keys manifests missing registry repos rootfs stamps
    tar --transform 's|.*|ci-bootstrap|' -Pcf - "$stripped"; } | lab_ssh 50 'mkdir -p /srv && tar -C /srv -ixf -'
  rm -f "$stripped"
}
apply() { on "tests/lab/lab run ./ci-bootstrap apply --yes --plain lab.yaml"; }
# kubeadm gives a new API server one minute, which is too short for an emulated machine beside heavy work. A run that
# broke off is finished by the next.
apply_until_done() { apply || apply || apply || apply; }

check "a lab comes up" lab up 0
check "a VM boots" lab vm up 50
check "it answers" lab vm wait 50
check "it has cgroup v2 alone" on '[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]'
check "the lab's cache is copied into it" copy_lab
check "it is fit for a lab" on 'tests/lab/lab doctor'
check "a lab comes up in it" on "tests/lab/lab up $hosts && tests/lab/lab inventory > lab.yaml"
check "the inventory asks for no exception" on '! grep -E "failCgroupV1|SystemVerification" lab.yaml'
check "the hosts have cgroup v2 alone" on 'tests/lab/lab ssh 1 "[ \$(stat -fc %T /sys/fs/cgroup) = cgroup2fs ] && systemctl is-system-running --wait"'
check "bare hosts become a cluster" apply_until_done
check "a second apply changes nothing" bash -c 'grep -q "nothing to change\|, 0 changes" <<<"$1"' _ "$(apply)"
check "the inner lab ends" on 'tests/lab/lab down'
echo "a lab runs on cgroup v2"
