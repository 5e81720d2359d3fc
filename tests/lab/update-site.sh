#!/bin/bash
# update-site.sh   A mirror of Jenkins' update site -> $REPOS/jenkins: each plugin that ci-bootstrap lists, as a file that has a
# manifest and nothing else, which is all that the stand-in for Jenkins reads of it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
list=$LAB_HERE/../../src/model/jenkins/plugins.txt site=$REPOS/jenkins
stamp=$(cat "$0" "$list" | hash_of)
[ -d "$site" ] && is_done update-site "$stamp" && exit 0
rm -rf "$site.new"; mkdir -p "$site.new/download/plugins"
mkdir -p "$site.new/current"
echo '{"comment": "the lab has no metadata, only files"}' | tee "$site.new/update-center.json" > "$site.new/current/plugin-versions.json"
grep -v '^#' "$list" | python3 -c '
import pathlib, sys, zipfile
for line in sys.stdin:
    name, version = line.strip().split(":")
    file = pathlib.Path(sys.argv[1], name, version, name + ".hpi")
    file.parent.mkdir(parents=True)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\r\nShort-Name: {name}\r\nPlugin-Version: {version}\r\n")
' "$site.new/download/plugins"
rm -rf "$site"; mv "$site.new" "$site"
mark_done update-site "$stamp"; say "update site: $(find "$site" -name '*.hpi' | wc -l) plugins"
