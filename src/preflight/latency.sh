# The mean time of a synchronous write where etcd's log will be, in microseconds. The file has no name while it is written to, so that
# nothing is left of it when this script is killed.
[ -e /etc/kubernetes/kubelet.conf ] || [ -e /var/lib/etcd/member ] && exit 0
directory=/var/lib/etcd
while [ ! -d "$directory" ]; do directory=${directory%/*}; directory=${directory:-/}; done
file=$directory/.ci-bootstrap-preflight
trap 'rm -f "$file"' EXIT
rm -f "$file"
{ exec 4>"$file"; } 2>/dev/null || exit 0
rm -f "$file"
# etcd's log is allocated before it is written to, too.
dd if=/dev/zero of=/proc/self/fd/4 bs=2300 count=100 2>/dev/null || exit 0
began=$(date +%s%N)
timeout 15 dd if=/dev/zero of=/proc/self/fd/4 bs=2300 count=100 oflag=dsync conv=notrunc 2>/dev/null || [ $? = 124 ] || exit 0
echo $(( ($(date +%s%N) - began) / 100000 ))
