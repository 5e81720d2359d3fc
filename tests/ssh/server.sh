# Runs two sshd's in a mount namespace with accounts of its own, so that the machine's are left alone,
# until standard input closes; then it takes everything away.
# Arguments: the folder that the tests have prepared.
set -eu
dir=$1
for file in passwd shadow hosts; do
    mount --bind "$dir/$file" "/etc/$file"
done
[ ! -e /etc/sudoers ] || mount --bind "$dir/sudoers" /etc/sudoers
# What the user's own shell does at its start is none of the tests' business.
[ ! -e ~/.bashrc ] || mount --bind /dev/null ~/.bashrc
mkdir -p /run/sshd /run/sudo
mount -t tmpfs tmpfs /run/sudo
sshd=$(command -v sshd)
"$sshd" -D -E "$dir/outer.log" -f "$dir/outer.conf" &
outer=$!
"$sshd" -D -E "$dir/inner.log" -f "$dir/inner.conf" &
inner=$!
cat >/dev/null
kill "$outer" "$inner"
wait
rm -rf "$dir"
