# shellcheck shell=sh
for table in 'ip kube-proxy' 'ip6 kube-proxy' 'ip calico' 'ip6 calico' 'arp calico-arp'; do
  nft delete table $table 2>/dev/null || true
done
for tool in iptables ip6tables; do
  command -v $tool-save >/dev/null 2>&1 || continue
  rules=$($tool-save -c 2>/dev/null) || continue
  case $rules in *KUBE-*|*cali-*|*'"cali:'*)
    printf '%s\n' "$rules" | grep -v -e KUBE- -e cali- -e '"cali:' | $tool-restore -c ;;
  esac
done
if command -v ipset >/dev/null 2>&1; then
  ipset list -n | grep -e '^KUBE-' -e '^cali' | while read -r set; do ipset destroy "$set" || true; done
fi
for link in vxlan.calico vxlan-v6.calico kube-ipvs0; do ip link delete $link 2>/dev/null || true; done
for family in -4 -6; do ip $family route flush proto 80 2>/dev/null || true; done
