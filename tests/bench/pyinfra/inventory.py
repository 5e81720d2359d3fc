import json
import os
import pathlib

WORK = pathlib.Path(os.environ["BENCH_WORK"])
hosts = (
    list(json.loads((WORK / "names.json").read_text())["names"]),
    {
        "ssh_user": "root",
        "ssh_key": os.environ["BENCH_KEY"],
        "ssh_known_hosts_file": os.environ["BENCH_KNOWN_HOSTS"],
        "ssh_strict_host_key_checking": "yes",
    },
)
