# shellcheck shell=sh disable=SC2154
# $source, $node and $dir are set by the caller and nfs-share-mount.sh.
file=$dir/.ci-bootstrap-check
text() { timeout 100 dd "if=$file" iflag=nofollow,nonblock bs=4096 count=1 status=none 2>/dev/null; }
if [ -e "$file" ] || [ -L "$file" ]; then
  if [ -L "$file" ] || [ ! -f "$file" ]; then
    echo "$source/.ci-bootstrap-check is no file, and none of ci-bootstrap's making" >&2; echo "help: find out who made it, and remove it" >&2; exit 1
  fi
  last=$(text) || { echo "cannot read $source/.ci-bootstrap-check, which another node wrote" >&2; exit 1; }
  case "$last" in "ci-bootstrap on "*) ;; *) echo "$source/.ci-bootstrap-check does not hold what another node wrote" >&2; exit 1 ;; esac
fi
rm -f "$file.$node" "$file.$node".*
new=$file.$node.$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
if ! said=$( { echo "ci-bootstrap on $node wrote this" | timeout 100 dd "of=$new" conv=excl,fsync oflag=nofollow status=none && timeout 100 mv -fT "$new" "$file"; } 2>&1 ); then
  echo "cannot write into $source: $said" >&2
  echo "help: root of this node must be allowed to write there: see the export's squash options and the directory's mode" >&2; exit 1
fi
[ "$(text)" = "ci-bootstrap on $node wrote this" ] || { echo "$source does not give back what was written into it" >&2; exit 1; }
