# Facts about this host, one on a line: a word, and what there is to say. It reads, and writes nothing.
say() { [ -z "$2" ] || printf '%s %s\n' "$1" "$2"; }
first_line() { { read -r line <"$1"; } 2>/dev/null && printf '%s' "$line"; }

say user "$(id -u)"

state=bare
if [ -e /etc/kubernetes/kubelet.conf ]; then state=member
elif [ -e /var/lib/ci-bootstrap/init-unfinished ] || [ -e /etc/kubernetes/manifests/kube-apiserver.yaml ] \
  || [ -e /var/lib/etcd/member ] || [ -e /etc/kubernetes/bootstrap-kubelet.conf ]; then state=half; fi
say state $state

say machine-id "$(first_line /etc/machine-id)"
for key in /etc/ssh/ssh_host_*_key.pub; do
  [ -r "$key" ] && read -r _ text _ <"$key" && say host-key "$text"
done

for link in /sys/class/net/*; do say link "${link##*/}"; done
ip -o addr show 2>/dev/null | while read -r _ link _ address _; do
  say address "${address%%/*}"
  [ "${address%%/*}" = "$own" ] && say mac "$(first_line "/sys/class/net/${link%%@*}/address")"
done
{ ip -4 route show; ip -6 route show; } 2>/dev/null | while read -r network _; do say route "$network"; done

ss -Hlntup 2>/dev/null | while read -r protocol _ _ _ local _ users; do
  program=${users#*\"}
  say listener "$protocol ${local##*:} ${program%%\"*}"
done

for unit in k3s k3s-agent rke2-server rke2-agent k0scontroller k0sworker snap.microk8s.daemon-kubelite crio; do
  [ "$(systemctl is-active $unit.service 2>/dev/null)" = active ] && say unit $unit
done
for file in /etc/cni/net.d/*.conf /etc/cni/net.d/*.conflist /etc/cni/net.d/*.json; do
  [ -e "$file" ] && say cni "${file##*/}"
done

if [ "$(systemctl is-active firewalld.service 2>/dev/null)" = active ]; then say firewall firewalld
elif grep -q '^ENABLED=yes' /etc/ufw/ufw.conf 2>/dev/null; then say firewall ufw; fi

# As kubeadm chooses for pods.
resolver=/etc/resolv.conf
[ "$(systemctl is-active systemd-resolved.service 2>/dev/null)" = active ] && [ -e /run/systemd/resolve/resolv.conf ] \
  && resolver=/run/systemd/resolve/resolv.conf
[ -z "$wanted_resolver" ] || resolver=$wanted_resolver
say resolver "$resolver"
[ -r "$resolver" ] && while read -r word server _; do
  [ "$word" = nameserver ] && say nameserver "$server"
done <"$resolver"

for path in $paths; do
  there=$path
  while [ ! -e "$there" ]; do there=${there%/*}; there=${there:-/}; done
  say disk "$path $(stat -c %d "$there") $(df -Pk "$there" | tail -n 1 | while read -r _ _ _ free _; do echo "$free"; done) $(
    df -Pi "$there" | tail -n 1 | while read -r _ all _ free _; do [ "$all" -gt 0 ] 2>/dev/null && echo "$free" || echo -; done)"
done
say end facts
