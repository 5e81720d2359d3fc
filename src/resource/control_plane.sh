cd /etc/kubernetes 2>/dev/null || { echo absent; exit 0; }
[ -e manifests/kube-apiserver.yaml ] || [ -e manifests/etcd.yaml ] || [ -e admin.conf ] || [ -e pki/ca.key ] || { echo absent; exit 0; }
api() { timeout 20 kubectl --cache-dir /dev/null --server https://@ADDRESS@:6443 --request-timeout=10s "$@" 2>&1; }
# A token that nobody has is refused by an API server that runs, whatever its host's own credentials are worth.
runs() { case $(api --kubeconfig /dev/null --token none --certificate-authority pki/ca.crt get --raw /livez) in ok|*Unauthorized*) ;; *) false ;; esac; }
final=yes
if [ ! -e kubelet.conf ]; then
  if [ ! -e bootstrap-kubelet.conf ] && runs; then echo headless; else echo half; fi
  exit 0
fi
if ! grep -q kubelet-client-current.pem kubelet.conf; then
  final=
  if [ -e @INIT_UNFINISHED@ ]; then
    if runs; then echo begun; else echo half; fi
    exit 0
  fi
  [ -d /var/lib/etcd/member ] || runs || { echo half; exit 0; }
fi
if [ -e admin.conf ]; then
  answer=$(api --kubeconfig admin.conf get -n kube-system -o name configmap/kubeadm-config configmap/kubelet-config daemonset/kube-proxy deployment/coredns node/@NODE@) && { echo member; exit 0; }
else
  answer=$(api --kubeconfig kubelet.conf get --raw /api/v1/nodes/@NODE@) && answer='admin.conf is missing'
fi
case $answer in
  *'daemonsets.apps "kube-proxy" not found'*|*'deployments.apps "coredns" not found'*) if [ "$final" ]; then echo incomplete; else echo begun; fi ;;
  *'configmaps "kubeadm-config" not found'*|*'configmaps "kubelet-config" not found'*|*'nodes "@NODE@" not found'*|'admin.conf is missing') echo incomplete ;;
  *Unauthorized*|*'certificate has expired'*|*'unknown authority'*) echo stranger ;;
  *)
    for crt in pki/apiserver.crt pki/apiserver-etcd-client.crt pki/etcd/server.crt; do
      openssl x509 -noout -checkend 0 -in $crt 2>/dev/null | grep -q 'will expire' && { echo expired; echo "$PWD/$crt $(openssl x509 -noout -enddate -in $crt)"; exit 0; }
    done
    echo silent ;;
esac
echo "$answer"
