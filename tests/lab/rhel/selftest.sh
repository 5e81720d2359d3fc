#!/bin/bash
# rhel/selftest.sh   Does dnf decide on the RHEL-like host as on a RHEL? In a lab of its own; needs `lab rhel prepare` and half a minute.
set -euo pipefail
export LAB_NAME=selftest-rhel
. "$(dirname "$0")/../lib.sh"; . "$LAB_HERE/checks.sh"
lab() { "$LAB_HERE/lab" "$@"; }
on() { lab_ssh 1 "$1"; }
source_list() { # repository key
  on "printf '%s\n' '[$1]' 'name=$1' 'baseurl=$HTTP/rpm/$1/' gpgcheck=1 repo_gpgcheck=1 'gpgkey=file:///etc/pki/rpm-gpg/$2.asc' 'excludepkgs=kubelet' > /etc/yum.repos.d/$1.repo"
}
trap 'lab down' EXIT

check "a lab comes up" lab up 0
check "a RHEL-like host comes up" lab rhel up 1
check "it says it is Rocky 9" on '. /etc/os-release; [ "$ID $ID_LIKE" = "rocky rhel centos fedora" ] && [ "${VERSION_ID%%.*}" = 9 ]'
check "nothing of Debian's packages is left" on '! command -v apt apt-get dpkg && [ ! -e /etc/apt ] && [ ! -e /var/lib/dpkg ]'
check "every unit of the host started" on 'timeout 30 systemctl is-system-running --wait'
check "firewalld runs, and lets ssh in only" on 'firewall-cmd -q --state && [ "$(firewall-cmd --list-ports)" = "" ]'
check "SELinux is configured as installed, and not in this kernel" on 'grep -qx SELINUX=enforcing /etc/selinux/config && [ "$(getenforce)" = Disabled ]'
check "the host is bare" on '! command -v containerd kubelet kubeadm runc socat conntrack tc && ! dnf versionlock list'
check "admin has sudo without a password" lab run ssh "${SSH_OPTS[@]}" "admin@$(node_ip 1)" 'sudo -n true'
refused "ops has no sudo without a password" "password is required" lab run ssh "${SSH_OPTS[@]}" "ops@$(node_ip 1)" 'sudo -n true'

on 'cat > /etc/pki/rpm-gpg/wrong.asc' < "$KEYS/wrong.asc"; on 'cat > /etc/pki/rpm-gpg/vendor.asc' < "$KEYS/rpm-vendor.asc"
source_list kubernetes wrong
refused "a wrong key is refused" "Bad GPG signature" on 'dnf -q -y install kubectl'
source_list kubernetes vendor
refused "an excluded package is not found" "Unable to find a match: kubelet" on 'dnf -q -y install kubelet'
refused "nor is a version that is not there" "Unable to find a match: kubelet-1.30.0" on 'dnf -q -y install --disableexcludes=all kubelet-1.30.0'
check "kubelet 1.36.4 installs with what it needs" on 'dnf -q -y install --disableexcludes=all kubelet-1.36.4 && rpm -q kubelet kubernetes-cni conntrack-tools socat && kubelet --version | grep -q v1.36.4'
check "it is installed, not enabled" on '[ "$(systemctl is-enabled kubelet)" = disabled ]'
source_list kubernetes-next vendor
check "a higher release is on offer" on 'dnf -q -y --disableexcludes=all list --upgrades kubelet | grep -q 1.36.4-150500.2.1'
check "an exclude keeps it away" on '! dnf -q list --upgrades kubelet'
check "a lock keeps it away" on 'dnf -q -y install python3-dnf-plugin-versionlock && dnf -q versionlock add kubelet && dnf -q -y upgrade --disableexcludes=all kubelet && rpm -q kubelet | grep -q -- -150500.1.1'
source_list containerd vendor
check "containerd.io 2.3.7 installs and starts" on 'dnf -q -y install containerd.io-2.3.7 && systemctl start containerd && ctr version | grep -q 2.3.7'
check "chrony runs, by RHEL's names" on 'dnf -q -y install chrony && grep -q ^pool /etc/chrony.conf && systemctl start chronyd && systemctl -q is-active chronyd'
check "a port is opened in firewalld" on 'firewall-cmd -q --permanent --add-port=6443/tcp && firewall-cmd -q --reload'
check "the host reboots" lab host reboot 1
check "the port is still open" on '[ "$(firewall-cmd --list-ports)" = 6443/tcp ]'
check "rpm finds its files as they were installed" on '! rpm -Va --nomtime | grep -v " c /etc/"'
echo "the RHEL-like host is as it should be"
