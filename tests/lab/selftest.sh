#!/bin/bash
# selftest.sh   Does the lab keep its promises? Two labs of its own side by side; needs `lab prepare` and one minute. Exit 1 at the first broken one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/checks.sh"
# One name for each working copy, so that two may ask at once.
name=selftest-$(cksum <<<"$here" | cut -c1-4) a=$name-a b=$name-b
lab() { LAB_NAME=$1 "$here/lab" "${@:2}"; }
net() { ( LAB_NAME=$1; . "$here/lib.sh"; echo "$LAB_NET" ); }
root=$( . "$here/lib.sh"; echo "$LAB_ROOT" ); key=$root/id_ed25519
as() { # user command: on host 1 of the first lab, with its host key checked
  lab $a run ssh -i "$key" -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=3 \
    -o "UserKnownHostsFile=$root/run/$a/known_hosts" "$1@$(net $a).11" "$2"
}
traces() { # everything on this machine that bears the name of one of the two labs
  ip netns list | grep "cilab-$name-" || true
  find /sys/fs/cgroup -maxdepth 2 -name "cilab-$name-*" || true
  ls -d /run/ci-bootstrap-lab/"$name"-* 2>/dev/null || true
  grep -l "run/$name-" /proc/[0-9]*/mountinfo 2>/dev/null || true
  pgrep -af "run/$name-|--machine=$name-" || true
  ls -d "$root/run/$name"-* 2>/dev/null || true
}
not() { ! "$@"; }
nothing_left() { local left; left=$(traces); [ -z "$left" ] || { echo "$left"; return 1; }; }
trap 'lab $a down; lab $b down' EXIT

check "what an earlier run left is cleaned up" lab $a down
check "... of both labs" lab $b down
check "... and nothing of it is there" nothing_left
check "a lab with two hosts comes up" lab $a up 2
check "a second lab comes up beside it" lab $b up 1
check "up again changes nothing" lab $a up 2

check "admin has sudo without a password" as admin 'sudo -n true'
refused "ops has no sudo without a password" "password is required" as ops 'sudo -n true'
check "ops has sudo with the password" as ops 'echo lab-ops-password | sudo -kS -p "" true'
check "nobody named the host" as root '[ "$(hostname)" = debian ]'
check "the host is bare" as root '! command -v containerd kubelet kubeadm runc nft iptables curl gpg && [ ! -e /opt/cni ]'
check "nothing is forwarded yet" as root '[ "$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/bridge/bridge-nf-call-iptables | tr -d "\n")" = 00 ]'
check "swap is in fstab" as root 'grep -q "^/swapfile.*swap" /etc/fstab'
check "every unit of the host started" as root 'timeout 30 systemctl is-system-running --wait'
check "all sysctl files of the host apply" as root 'sysctl -q --system'
check "a sysctl of the host is not the machine's" as root "sysctl -qw vm.max_map_count=$(( $(sysctl -n vm.max_map_count) + 1 ))"
check "... really not" [ "$(sysctl -n vm.max_map_count)" != "$(as root 'sysctl -n vm.max_map_count')" ]
check "modprobe knows the kernel's own modules" as root 'modprobe overlay && modprobe br_netfilter'
refused "modprobe fails for others" "not found" as root 'modprobe no_such_module'

url=http://$(net $a).1:8000
check "Debian's packages install" as root 'apt-get -qq update && apt-get -qq install -y --no-install-recommends socat'
as root 'cat > /etc/apt/lab.asc' < "$root/keys/lab.asc"; as root 'cat > /etc/apt/wrong.asc' < "$root/keys/wrong.asc"
source_list() { as root "echo 'deb [signed-by=/etc/apt/$1.asc] $url/$2/ /' > /etc/apt/sources.list.d/$2.list"; }
source_list wrong kubernetes
refused "a wrong key is refused" "NO_PUBKEY" as root 'apt-get -q update -o APT::Update::Error-Mode=any'
source_list lab kubernetes
check "kubectl 1.36.4-1.1 installs, and runs" as root 'apt-get -qq update && apt-get -qq install -y kubectl=1.36.4-1.1 && kubectl version --client | grep -q v1.36.4'
source_list lab kubernetes-next
check "a higher revision is on offer" as root 'apt-get -qq update && apt-get -s upgrade | grep -q "^Inst kubectl .*1.36.4-2.1"'
check "a hold keeps it away" as root 'apt-mark -q hold kubectl >/dev/null && ! apt-get -s upgrade | grep "^Inst kubectl"'

registry=https://$(net $a).1:5000
check "the registry has the images, by its CA" lab $a run curl -sSf --cacert "$root/run/$a/ca.crt" -o /dev/null "$registry/v2/kube-apiserver/manifests/v1.36.4"
refused "the registry is refused without its CA" "certificate" lab $a run curl -sSf "$registry/v2/"
refused "the other lab's CA is another" "certificate" lab $a run curl -sSf --cacert "$root/run/$b/ca.crt" "$registry/v2/"
refused "no way leads from one lab to the other" "Connection\|route\|unreachable\|timed out" lab $a run ssh -o ConnectTimeout=2 "$(net $b).11" true

round_trip() { # low high: seconds that a connection from `lab run` takes
  local seconds; seconds=$(lab $a run curl -sS -o /dev/null -w '%{time_connect}' "$url/keys/lab.asc")
  awk -v t="$seconds" -v low="$1" -v high="$2" 'BEGIN {print t " s"; exit !(t >= low && t < high)}'
}
check "a cable of 50 ms is put in" lab $a delay 50
check "... and felt" round_trip 0.05 0.5
check "it is taken out" lab $a delay off
check "... and felt no more" round_trip 0 0.04

as root 'sysctl -qw net.ipv4.ip_forward=1; touch /root/mark; ip link add dummy-left type vxlan id 7 dstport 4789 dev eth0'
check "a host reboots, with the same host key" lab $a host reboot 1
check "its disk is the same, its network state is not" as root '[ -e /root/mark ] && [ "$(cat /proc/sys/net/ipv4/ip_forward)" = 0 ] && ! ip link show dummy-left 2>/dev/null'
check "the plug is pulled" lab $a host kill 1
refused "a host without power does not answer" "timed out\|No route" as root true
check "it is switched on again" bash -c "LAB_NAME=$a '$here/lab' host up 1 && LAB_NAME=$a '$here/lab' host wait 1"
check "a host shuts down" lab $a host poweroff 2

refused "the same name from another LAB_ROOT is refused" "another LAB_ROOT" env LAB_ROOT=/var/tmp/selftest-no-such LAB_NAME=$a "$here/lab" down
check "one lab ends" lab $a down
check "the other lives" lab $b ssh 1 true
check "the other ends" lab $b down
check "both have left nothing behind" nothing_left

# What a killed run leaves is cleaned up by the next `down`, however little of it is left.
check "a lab comes up once more" lab $a up 1
rm -rf "$root/run/$a/host1"
check "a lab that has lost a host's folder ends" lab $a down
check "... and leaves nothing behind" nothing_left
check "it comes up again" lab $a up 1
rm -rf "$root/run/$a"
refused "from another LAB_ROOT it still can't be ended" "LAB_ROOT=$root" env LAB_ROOT=/var/tmp/selftest-no-such LAB_NAME=$a "$here/lab" down
check "a lab that has lost its folder ends" lab $a down
check "... and leaves nothing behind either" nothing_left
touch /run/netns/cilab-$a; ip netns add cilab-$a-h7   # a machine that restarts may keep the names of namespaces
check "names of a lab that is long gone are swept away" lab $a down
check "... all of them" nothing_left
ip netns add cilab-$a; ip netns exec cilab-$a sleep 60 & stranger=$!
refused "a live lab of nobody knows whom is left alone" "nothing says from which" env LAB_NAME=$a "$here/lab" down
kill $stranger; wait $stranger 2>/dev/null || true
check "it is swept away once it is dead" lab $a down
refused "a name that could be a part of another lab is refused" "must not end" env LAB_NAME=$a-h1 "$here/lab" status
refused "a command for a lab that is down says so" "is not up" lab $a inventory
# Real images take the place of stand-ins. The smallest layout of an image is one without layers.
folder=$(mktemp -d) real=busybox:2
layout() { # NAME:TAG: an OCI layout of that name, whose configuration bears a label
  local dir=$folder/$1 config manifest; mkdir -p "$dir/blobs/sha256"; echo '{"imageLayoutVersion": "1.0.0"}' > "$dir/oci-layout"
  blob() { local sum; sum=$(sha256sum <<<"$1" | cut -d' ' -f1); echo "$1" > "$dir/blobs/sha256/$sum"; echo "\"digest\": \"sha256:$sum\", \"size\": $((${#1} + 1))"; }
  config=$(blob '{"architecture": "amd64", "os": "linux", "config": {"Labels": {"real": "yes"}}, "rootfs": {"type": "layers", "diff_ids": []}}')
  manifest=$(blob "{\"schemaVersion\": 2, \"mediaType\": \"application/vnd.oci.image.manifest.v1+json\", \"config\": {\"mediaType\": \"application/vnd.oci.image.config.v1+json\", $config}, \"layers\": []}")
  echo "{\"schemaVersion\": 2, \"manifests\": [{\"mediaType\": \"application/vnd.oci.image.manifest.v1+json\", $manifest}]}" > "$dir/index.json"
}
trap 'lab $a down; lab $b down; rm -rf "$folder"' EXIT
with_images() { LAB_IMAGES=$1 lab "$a" up 0; }
config_of() { lab "$1" run env SSL_CERT_FILE="$root/run/$1/ca.crt" "$root/bin/crane" config "$(net "$1").1:5000/$real"; }
is_real() { config_of "$1" | grep -q '"real"'; }
refused "a folder without images is refused" "no OCI layout" with_images "$folder"
refused "a folder that is not there is refused" "nor a folder" with_images "$folder/none"
refused "the registries of others are not asked yet" "pulls no images" with_images upstream
mkdir -p "$folder/busybox"; touch "$folder/busybox/oci-layout"
refused "an image without a tag is refused" "no tag" with_images "$folder"
rm -rf "$folder/busybox"; layout busybox:9
refused "an image with a tag that nothing asks for is refused" "another tag" with_images "$folder"
rm -rf "$folder/busybox:9"; layout nothing:1
refused "an image that nothing asks for is refused" "is named 'nothing'" with_images "$folder"
rm -rf "$folder/nothing:1"; layout $real
check "... and none of them has left a lab" nothing_left
check "a real image takes a stand-in's place, and is named" bash -c "LAB_NAME=$a LAB_IMAGES='$folder' '$here/lab' up 0 2>&1 | grep 'real: $real sha256:'"
check "... in the registry" is_real $a
check "a lab without LAB_IMAGES comes up" lab $b up 0
check "... and has the stand-in" not is_real $b
check "both end" lab $a down
check "... the second as well" lab $b down
tar -cf "$folder/all.tar" -C "$folder/$real" .; rm -rf "${folder:?}/$real"; mv "$folder/all.tar" "$folder/$real.tar"
refused "a file that \`docker save\` has not made is refused" "can't be pushed" with_images "$folder"
check "it ends" lab $a down
echo "the lab keeps its promises"
