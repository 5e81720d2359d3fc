"""What the peers are to bring about: taken from a host that ci-bootstrap has prepared, so that all do the same."""
import json
import shutil

from lab import WORK, lab

SITE = WORK / "site"
NAMES = ["/etc/modules-load.d/ci-bootstrap.conf", "/etc/sysctl.d/99-zz-ci-bootstrap.conf",
         "/etc/systemd/network/05-ci-bootstrap.network", "/etc/crictl.yaml"]
PACKAGES = ["conntrack", "ethtool", "iptables", "nfs-common", "nftables", "socat", "kubelet", "kubeadm", "kubectl",
            "kubernetes-cni", "cri-tools", "containerd.io"]
PINNED = ["kubelet", "kubeadm", "kubectl", "containerd.io"]


def read(number, path):
    return lab("ssh", number, f"cat '{path}'")


def files(number, paths):
    """Fetches files of the host."""
    found = []
    for path in paths:
        source = SITE / path.strip("/")
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(read(number, path))
        found.append({"path": path, "source": str(source)})
    return found


def listed(number, pattern):
    return lab("ssh", number, f"ls {pattern}").split()


def collect(number):
    """Writes desired.json from host `number`."""
    shutil.rmtree(SITE, ignore_errors=True)
    sysctls = [line.split(" = ") for line in read(number, NAMES[1]).splitlines() if " = " in line]
    versions = dict(line.split("|") for line in lab(
        "ssh", number, "dpkg-query -W -f '${Package}|${Version}\\n' " + " ".join(PINNED)).splitlines())
    repositories = listed(number, "/etc/apt/keyrings/ci-bootstrap-* /etc/apt/sources.list.d/ci-bootstrap-*")
    containerd = ["/etc/containerd/config.toml", *listed(number, "/etc/containerd/certs.d/*/*")]
    desired = {
        "files": files(number, NAMES),
        "repositories": files(number, repositories),
        "containerd": files(number, containerd),
        "folders": sorted({path.rsplit("/", 1)[0] for path in containerd[1:]}),
        "modules": read(number, NAMES[0]).split(),
        "sysctls": dict(sysctls),
        "tools": ["ca-certificates", "curl", "gnupg"],
        "packages": [f"{name}={versions[name]}" if name in versions else name for name in PACKAGES],
        "held": PINNED,
    }
    (WORK / "desired.json").write_text(json.dumps(desired, indent=1))
    return desired


def names(addresses):
    """The block of /etc/hosts, and each host's name."""
    hosts = {address: f"node{number}" for number, address in enumerate(addresses, 1)}
    (WORK / "names.json").write_text(json.dumps(
        {"names": hosts, "block": "\n".join(f"{address} {name}" for address, name in hosts.items())}))
