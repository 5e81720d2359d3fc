"""The steps of ci-bootstrap's playbooks 10 to 30 on a Debian host, as a pyinfra user would write them."""
import json
import os
import pathlib

from pyinfra import host
from pyinfra.facts.server import Command
from pyinfra.operations import apt, files, server, systemd

WORK = pathlib.Path(os.environ["BENCH_WORK"])
desired = json.loads((WORK / "desired.json").read_text())
names = json.loads((WORK / "names.json").read_text())


def unless(name, check, commands):
    """Runs the commands if the check prints anything."""
    if host.get_fact(Command, command=f"{check} || true"):
        server.shell(name=name, commands=commands)


def copied(items):
    """Whether any of the files will change."""
    return [files.put(name=item["path"], src=item["source"], dest=item["path"], mode="644") for item in items]


server.hostname(name="hostname", hostname=names["names"][host.name])
files.block(name="names of all hosts", path="/etc/hosts", content=names["block"], marker="# {mark} ci-bootstrap")
unless("no swap", "grep ^/ /proc/swaps", ["swapoff -a"])
unless("no swap at boot", r"grep -E '^[^#]+\sswap\s' /etc/fstab", [r"sed -i -E 's/^([^#]+\sswap\s.*)$/# \1/' /etc/fstab"])
unless("no swap by systemd", "[ -L /etc/systemd/system/swap.target ] || echo no", ["systemctl mask --now swap.target"])
copied(desired["files"])
modules = " ".join(desired["modules"])
unless(
    "kernel modules",
    f"for m in {modules}; do [ -d /sys/module/$m ] || grep -q /$m.ko /lib/modules/$(uname -r)/modules.builtin || echo $m; done",
    [f"modprobe -a {modules}"],
)
unless(
    "kernel parameters",
    "; ".join(f'[ "$(cat /proc/sys/{key.replace(".", "/")})" = "{value}" ] || echo {key}' for key, value in desired["sysctls"].items()),
    [f"sysctl -q -w {key}={value}" for key, value in desired["sysctls"].items()],
)
changed = copied(desired["repositories"])
apt.update(name="package lists", _if=lambda: any(file.changed for file in changed))
apt.packages(name="packages", packages=desired["tools"] + desired["packages"], no_recommends=True)
held = " ".join(desired["held"])
unless("held packages", f"for p in {held}; do apt-mark showhold | grep -qx $p || echo $p; done", [f"apt-mark hold {held}"])
for folder in desired["folders"]:
    files.directory(name=folder, path=folder, mode="755")
configuration = copied(desired["containerd"])
systemd.service(name="containerd", service="containerd", running=True, enabled=True)
systemd.service(name="containerd with its configuration", service="containerd", restarted=True,
                _if=lambda: any(file.changed for file in configuration))
