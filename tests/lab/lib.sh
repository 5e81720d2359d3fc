# shellcheck shell=bash
# Settings and small helpers of the lab. Every script of the lab sources this file; every setting comes from the environment.

LAB_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_ROOT=${LAB_ROOT:-/var/tmp/ci-bootstrap-lab}   # cache, shared by all labs of this machine
LAB_NAME=${LAB_NAME:-lab}                         # one lab = one name = one set of namespaces, cgroups, run directory
LAB_SUITE=bookworm

BIN=$LAB_ROOT/bin                                 # static programs the packages and images are made of
ROOTFS=$LAB_ROOT/rootfs                           # one directory per kind of host, read-only lower layer of every host
REPOS=$LAB_ROOT/repos                             # signed package repositories
KEYS=$LAB_ROOT/keys                               # public half of the key the repositories are signed with
MANIFESTS=$LAB_ROOT/manifests                     # Calico's release manifests
KEY=$LAB_ROOT/id_ed25519                          # ssh key that every host accepts
OPS_PASSWORD=lab-ops-password                     # sudo password of the user `ops`

[[ $LAB_NAME =~ ^[a-z][a-z0-9-]{0,19}$ ]] || { echo "lab: LAB_NAME=$LAB_NAME: use 1-20 of a-z, 0-9 and -, starting with a letter" >&2; exit 2; }
# What is left of a lab is found by name, so no lab may be named as a part of another.
[[ ! $LAB_NAME =~ -((h|vm)[0-9]+|ctl|services|delay)$ ]] || { echo "lab: LAB_NAME=$LAB_NAME: it must not end like the name of a host" >&2; exit 2; }

RUN=$LAB_ROOT/run/$LAB_NAME                       # everything that lives only while this lab is up
LAB_NS=cilab-$LAB_NAME                            # network namespace with the bridge, the registry and the http server
CONTROLLER_NS=$LAB_NS-ctl                         # where `lab run` runs while `lab delay` is on
LAB_BR=br-lab                                     # exists only inside LAB_NS, so every lab can use the same name
LAB_CG=cilab-$LAB_NAME                            # prefix of the hosts' cgroups
OWNER=/run/ci-bootstrap-lab/$LAB_NAME             # says from which LAB_ROOT it runs, outside of it: that may be gone before the lab is
# Each lab's network is closed, so equal addresses in two labs would do no harm; they differ to make mix-ups visible.
if [ "$LAB_NAME" = lab ]; then LAB_NET=10.77.0; else LAB_NET=10.77.$(( $(cksum <<<"$LAB_NAME" | cut -d' ' -f1) % 254 + 1 )); fi
GATEWAY=$LAB_NET.1
REGISTRY=$GATEWAY:5000
HTTP=http://$GATEWAY:8000

SSH_OPTS=(-i "$KEY" -o IdentitiesOnly=yes -o "UserKnownHostsFile=$RUN/known_hosts" -o StrictHostKeyChecking=yes
          -o BatchMode=yes -o LogLevel=ERROR -o ConnectTimeout=3)

die() { echo "lab: $*" >&2; exit 1; }
say() { echo "lab: $*" >&2; }
now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN{printf "%.1f s", b-a}'; }

node_ip() { echo "$LAB_NET.$((10 + $1))"; }
in_ns() { ip netns exec "$LAB_NS" "$@"; }
lab_is_up() { [ -e "/run/netns/$LAB_NS" ]; }
# Whether this name is free, or the lab of that name may be taken down from here. What a killed run left is ours when nothing of it
# runs any more; another's live lab never is.
lab_is_ours() {
  local owner running; owner=$(cat "$OWNER" 2>/dev/null || true)
  if [ "$owner" = "$LAB_ROOT" ] || [ "$owner" -ef "$LAB_ROOT" ] || { [ -z "$owner" ] && [ -d "$RUN" ]; }; then return; fi
  running=$(lab_processes | tr '\n' ' ')
  if [ -z "$running" ] && { [ -z "$owner" ] || [ ! -d "$owner/run/$LAB_NAME" ]; }; then return; fi
  [ -n "$owner" ] || die "a lab named '$LAB_NAME' runs from another LAB_ROOT than $LAB_ROOT, and nothing says from which: end its processes ($running), or choose another LAB_NAME"
  die "a lab named '$LAB_NAME' runs from another LAB_ROOT than $LAB_ROOT: choose another LAB_NAME, or end it by: LAB_ROOT=$owner LAB_NAME=$LAB_NAME $LAB_HERE/lab down"
}
lab_processes() { # all that live in its cgroups or its network
  local ns; for ns in "$LAB_NS" "$CONTROLLER_NS"; do ip netns pids "$ns" 2>/dev/null || true; done
  find /sys/fs/cgroup -path "/sys/fs/cgroup/*$LAB_CG-*" -name cgroup.procs -exec cat {} + 2>/dev/null || true
}
# Numbers of its hosts (h) or machines (vm), by any trace that they have left: a folder, a cgroup or a network namespace.
traces_of() { # h|vm
  { find "$RUN" -maxdepth 1 -type d 2>/dev/null | sed -n 's|^.*/\(h\)ost\([0-9]*\)$|\1\2|p; s|^.*/\(vm[0-9]*\)$|\1|p' || true
    find /run/netns /sys/fs/cgroup -maxdepth 2 -name "$LAB_CG-$1*" 2>/dev/null | sed "s|.*/$LAB_CG-||" || true
  } | sed -n "s/^$1\([0-9][0-9]*\)\$/\1/p" | sort -nu
}
need_lab() { lab_is_ours; lab_is_up || die "the lab '$LAB_NAME' is not up: run '$LAB_HERE/lab up'"; }
need_host() { [[ ${1:-} =~ ^[0-9]+$ ]] && [ -d "$RUN/host$1" ] || die "no host '${1:-}' in the lab '$LAB_NAME': run '$LAB_HERE/lab status' to see them"; }

lab_ssh() { local n=$1; shift; in_ns ssh "${SSH_OPTS[@]}" "root@$(node_ip "$n")" "$@"; }
wait_ssh() { # host seconds
  local end=$((SECONDS + $2))
  while [ "$SECONDS" -lt "$end" ]; do
    in_ns timeout 15 ssh "${SSH_OPTS[@]}" "root@$(node_ip "$1")" true 2>/dev/null </dev/null && return 0
    sleep 0.2
  done
  return 1
}

# Every process of the lab lives in a cgroup named after it, so that `down` ends these processes and no others. With cgroup v1 hosts
# need one in each v1 hierarchy, and in the v2 one too: there nspawn looks for its own cgroup, and without it all hosts would share one.
CONTROLLERS="cpu cpuset io memory pids"           # what kubelet and runc want of cgroup v2
has_cgroup_v2() { [ -e /sys/fs/cgroup/cgroup.controllers ]; }   # and nothing else
unified() { if has_cgroup_v2; then echo /sys/fs/cgroup; else echo /sys/fs/cgroup/unified; fi; }
hierarchies() {
  local d; ! has_cgroup_v2 || { echo /sys/fs/cgroup; return; }
  for d in /sys/fs/cgroup/*/; do [ -L "${d%/}" ] || [ ! -e "$d/cgroup.procs" ] || echo "${d%/}"; done
}
delegate_controllers() { local controller; for controller in $CONTROLLERS; do echo "+$controller" > "$1/cgroup.subtree_control"; done; } # directory
enter_cgroup() { # name: makes it, and moves the calling shell into it
  local dir file; ! has_cgroup_v2 || delegate_controllers /sys/fs/cgroup
  for dir in $(hierarchies); do
    mkdir -p "$dir/$LAB_CG-$1"
    if ! has_cgroup_v2; then
      for file in cpuset.cpus cpuset.mems; do [ ! -e "$dir/$file" ] || cat "$dir/$file" > "$dir/$LAB_CG-$1/$file"; done
    fi
    echo $$ > "$dir/$LAB_CG-$1/cgroup.procs"
  done
}
is_populated() { grep -qs 'populated 1' "$(unified)/$LAB_CG-$1/cgroup.events"; } # name
empty_cgroup() { # name: kills what is in it, all at one blow
  local dir _; dir=$(unified)/$LAB_CG-$1
  [ -d "$dir" ] || return 0
  echo 1 > "$dir/cgroup.kill"
  for _ in $(seq 250); do grep -q 'populated 0' "$dir/cgroup.events" && return 0; sleep 0.02; done
  die "processes of $LAB_CG-$1 do not end: $(find "$dir" -name cgroup.procs -exec cat {} + | tr '\n' ' ')"
}
remove_cgroup() { # name
  local dir end=$((SECONDS + 10)); empty_cgroup "$1"
  for dir in $(hierarchies); do
    while [ -d "$dir/$LAB_CG-$1" ]; do
      find "$dir/$LAB_CG-$1" -depth -type d -exec rmdir {} + 2>/dev/null && break
      [ "$SECONDS" -lt "$end" ] || die "the cgroup $dir/$LAB_CG-$1 can't be removed: $(find "$dir/$LAB_CG-$1" -name cgroup.procs -exec cat {} + | tr '\n' ' ')"
      sleep 0.1   # v1 counts a killed process for a moment longer
    done
  done
}

# One line per host in the lab's known_hosts, from the host's own file: nothing is trusted on first use.
know_host() { # address public-key-file
  ( flock 9; touch "$RUN/known_hosts"; sed -i "/^$1 /d" "$RUN/known_hosts"
    echo "$1 $(cut -d' ' -f1,2 "$2")" >> "$RUN/known_hosts" ) 9>"$RUN/known_hosts.lock"
}

# What the installer of a Debian site would have set: its mirror, its nameserver.
debian_site() { # etc-directory
  mkdir -p "$1/apt/trusted.gpg.d"
  echo "nameserver $GATEWAY" > "$1/resolv.conf"
  echo "deb $HTTP/debian $LAB_SUITE main" > "$1/apt/sources.list"
  install -m644 "$KEYS/lab.asc" "$1/apt/trusted.gpg.d/site.asc"
}

rhel_site() { # etc-directory
  mkdir -p "$1/yum.repos.d"
  echo "nameserver $GATEWAY" > "$1/resolv.conf"
  printf '%s\n' '[baseos]' 'name=Rocky Linux 9 - BaseOS (lab)' "baseurl=$HTTP/rpm/base/" enabled=1 gpgcheck=1 \
    gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-lab-distribution > "$1/yum.repos.d/base.repo"
}

# The Debian mirror this machine itself uses: never written into a file of the project.
debian_mirror() {
  local m; m=$(apt-get indextargets --format '$(REPO_URI)' 'Component: main' | grep -E '/debian/?$' | sort -u | head -1)
  [ -n "$m" ] || die "this machine's apt knows no Debian mirror (component main): see /etc/apt/sources.list"
  echo "$m"
}

# A step is done while the hash of its inputs is the one it was last done with.
hash_of() { sha256sum | cut -c1-32; }
is_done() { [ "$(cat "$LAB_ROOT/stamps/$1" 2>/dev/null)" = "$2" ]; }
mark_done() { mkdir -p "$LAB_ROOT/stamps"; echo "$2" > "$LAB_ROOT/stamps/$1"; }

# Running hosts keep the directory they were started on; `lab down` of the last lab deletes what was retired.
retire() { [ ! -d "$1" ] || mv "$1" "$(mktemp -d "$ROOTFS/.retired.XXXXXX")/"; sweep_retired; }
sweep_retired() { grep -q "lowerdir=$ROOTFS" /proc/[0-9]*/mountinfo 2>/dev/null || rm -rf "$ROOTFS"/.retired.*; }

make_ssh_key() { [ -f "$KEY" ] || { mkdir -p "$LAB_ROOT"; ssh-keygen -q -t ed25519 -N '' -C ci-bootstrap-lab -f "$KEY"; }; }
