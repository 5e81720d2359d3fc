#!/bin/bash
# fetch-debs.sh ROOT DIR [-t SUITE] PACKAGE...   The packages, and all they need beyond what is installed in ROOT, as files in DIR.
# The machine's own apt fetches and checks them; neither its package lists nor ROOT change.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
root=$1 dir=$2; shift 2
apt=$LAB_ROOT/apt keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$root/var/lib/dpkg/status" ] || die "no Debian system in $root: run '$LAB_HERE/lab prepare'"
[ -f "$keyring" ] || die "no $keyring: apt-get install debian-archive-keyring"

mkdir -p "$apt/lists/partial" "$apt/cache" "$dir/partial"
mirror=$(debian_mirror)
for suite in "$LAB_SUITE" "$LAB_SUITE-backports"; do echo "deb [signed-by=$keyring] $mirror $suite main"; done > "$apt/sources.list"
options=(-qq -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$apt/lists"
         -o "Dir::State::status=$root/var/lib/dpkg/status" -o "Dir::Cache=$apt/cache" -o "Dir::Cache::archives=$dir"
         -o APT::Sandbox::User=root -o APT::Architecture=amd64 -o Acquire::Languages=none -o Debug::NoLocking=1)
exec 9> "$apt/lock"; flock 9   # two steps of the lab may fetch at once
[ -n "$(find "$apt/updated" -mmin -60 2>/dev/null)" ] || { apt-get "${options[@]}" update; touch "$apt/updated"; }
flock -u 9
apt-get "${options[@]}" install -y --download-only --no-install-recommends "$@"
rm -rf "$dir/partial" "$dir/lock"
