# shellcheck shell=sh disable=SC2154
# $source, $server, $options and $node are set by the caller.
dir=$(mktemp -d /run/ci-bootstrap-share.XXXXXX)
leave() { ! mountpoint -q "$dir" || timeout 20 umount "$dir" || umount -l "$dir"; rmdir "$dir"; }
trap leave EXIT
explain() {
  case "$said" in
    # NFSv3 says the same of a path that is not there as of one that is for others.
    *"denied"*|*"No such file"*|*"not exported"*)
      echo "help: the server has no such export, or not for this node; it says that it exports:"; timeout 10 showmount -e "$server" 2>&1 || true ;;
    *"timed out"*|*"refused"*|*"oute to host"*|*"unreachable"*) echo "help: $server can't be reached from this node: is it on, and does its firewall let NFS (port 2049/tcp) through?" ;;
    "") echo "help: $server does not answer: is it on, and does its firewall let NFS (port 2049/tcp) through?" ;;
    *) echo "help: try the same command on this node by hand" ;;
  esac
}
# A server that was just started may take a moment until it answers.
for try in 1 2 3; do
  said=$(timeout 40 mount -t nfs -o "$options" "$source" "$dir" 2>&1) && break
  case "$try $said" in
    [12]*"timed out"*|[12]*"refused"*|"1 "|"2 ") sleep 5 ;;
    *) echo "mount -t nfs -o $options $source: ${said:-no answer within 40 s, three times}" >&2; explain >&2; exit 1 ;;
  esac
done
