#!/bin/bash
# vm/selftest.sh   Does what needs a kernel work in a VM, and outlive a reboot? In a lab of its own; needs `lab vm prepare` and some two minutes.
# LAB_VM_KIND=rocky9 asks the RHEL-like VM, and for SELinux too.
set -euo pipefail
export LAB_NAME=selftest-vm LAB_VM_KIND=${LAB_VM_KIND:-bookworm}
. "$(dirname "$0")/../lib.sh"; . "$LAB_HERE/checks.sh"
lab() { "$LAB_HERE/lab" "$@"; }
on() { lab_ssh 50 "$1"; }
trap 'lab down' EXIT

check "a lab comes up" lab up 0
check "a VM boots" lab vm up 50
check "it answers, with the host key the lab gave it" lab vm wait 50
refused "its address is not given away" "belongs to VM 50" lab host up 50
check "every unit of it started" on 'timeout 60 systemctl is-system-running --wait'
check "it has a kernel of its own" on "[ \"\$(uname -r)\" != '$(uname -r)' ]"
check "it has cgroup v2" on '[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]'
check "swap is on, and in fstab" on 'grep -q ^/swapfile /proc/swaps && grep -q "^/swapfile .* swap " /etc/fstab'
[ "$LAB_VM_KIND" = rocky9 ] || check "swap in compressed memory is on too" on 'grep -q ^/dev/zram0 /proc/swaps'
check "no module is loaded yet" on '! lsmod | grep -E "^(ip_vs|br_netfilter|overlay) "'
check "admin has sudo without a password" lab run ssh "${SSH_OPTS[@]}" "admin@$(node_ip 50)" 'sudo -n true'
if [ "$LAB_VM_KIND" = rocky9 ]; then
  check "packages install" on 'dnf -q -y install ipvsadm'
  check "SELinux is enforcing" on '[ "$(getenforce)" = Enforcing ] && id -Z | grep -q unconfined_t'
  check "firewalld answers" on 'firewall-cmd -q --permanent --add-port=6443/tcp && firewall-cmd -q --reload && firewall-cmd --list-ports | grep -q 6443/tcp'
  check "SELinux is made permissive" on 'setenforce 0 && sed -i s/^SELINUX=.*/SELINUX=permissive/ /etc/selinux/config && [ "$(getenforce)" = Permissive ]'
else
  check "packages install" on 'apt-get -qq update && apt-get -qq install -y --no-install-recommends ipvsadm >/dev/null'
fi

check "ip_vs and br_netfilter are loaded" on 'for m in ip_vs br_netfilter; do modprobe $m && echo $m; done > /etc/modules-load.d/test.conf && ipvsadm -Ln'
check "sysctls take effect" on 'printf "%s\n" net.bridge.bridge-nf-call-iptables=1 vm.swappiness=7 kernel.panic=11 > /etc/sysctl.d/90-test.conf && sysctl -q --system && [ "$(cat /proc/sys/vm/swappiness)" = 7 ]'
check "the machine's own kernel does not know of it" [ "$(sysctl -n kernel.panic)" != 11 ]
check "swap goes off" on 'swapoff -a && sed -i "s/^.swapfile/#&/" /etc/fstab && rm -f /etc/systemd/zram-generator.conf && [ "$(wc -l < /proc/swaps)" = 1 ]'
check "it is named" on 'hostnamectl set-hostname node7'
check "it reboots" lab vm reboot 50
check "modules, sysctls, swap and name are as they were" on '[ "$(lsmod | grep -cE "^(ip_vs|br_netfilter) ")" = 2 ] && [ "$(cat /proc/sys/kernel/panic)" = 11 ] &&
  [ "$(cat /proc/sys/net/bridge/bridge-nf-call-iptables)" = 1 ] && [ "$(wc -l < /proc/swaps)" = 1 ] && [ "$(hostname)" = node7 ]'
[ "$LAB_VM_KIND" != rocky9 ] || check "SELinux is still permissive" on '[ "$(getenforce)" = Permissive ]'
check "swap in compressed memory can be made" on 'modprobe zram && echo 32M > /sys/block/zram0/disksize && mkswap -q /dev/zram0 && swapon /dev/zram0 && grep -q ^/dev/zram0 /proc/swaps'
check "the lab ends" lab down
check "no QEMU of it is left" bash -c '! pgrep -af "[s]elftest-vm-vm50"'
refused "a VM of a lab that is down is unknown" "no VM '50'" lab vm wait 50
echo "the VM is as it should be"
