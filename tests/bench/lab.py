"""The lab's hosts as the benchmark uses them: many, prepared or bare, near or far away."""
import contextlib
import ctypes
import os
import pathlib
import shutil
import subprocess
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
WORK = REPOSITORY / "target" / "bench"
COMMAND = REPOSITORY / "tests" / "lab" / "lab"
NAME = os.environ.setdefault("LAB_NAME", "bench")
ROOT = pathlib.Path(os.environ.get("LAB_ROOT", "/var/tmp/ci-bootstrap-lab"))
RUN = ROOT / "run" / NAME
KEY = ROOT / "id_ed25519"
# A host that has had everything but its own name: to prepare a hundred would take longer than to measure them.
PREPARED = "bench-prepared"
CLONE_NEWNET = 0x40000000


def lab(*arguments, **environment):
    """Runs a command of the lab and gives what it printed."""
    done = subprocess.run([COMMAND, *map(str, arguments)], env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True, timeout=1800)
    if done.returncode:
        raise SystemExit(f"`lab {' '.join(map(str, arguments))}` failed: see above")
    return done.stdout


@contextlib.contextmanager
def hosts(count, kind="bookworm"):
    """A lab of so many hosts, taken down at the end."""
    lab("down")
    try:
        lab("up", count, LAB_HOST_KIND=kind)
        yield
    finally:
        lab("down")


def quiet(limit=180):
    """Waits until the machine is idle: hosts that have just booted are still busy with themselves. At most `limit` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        before = cpu_times()
        time.sleep(3)
        idle, total = (after - earlier for after, earlier in zip(cpu_times(), before))
        if idle > 0.85 * total:
            return
    print("the machine did not come to rest: take these figures with care", file=sys.stderr)


def cpu_times():
    """Idle and all time of the processors, in ticks since the boot."""
    ticks = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return ticks[3] + ticks[4], sum(ticks)


@contextlib.contextmanager
def far(milliseconds):
    """The hosts are this much farther away."""
    lab("delay", milliseconds)
    try:
        yield
    finally:
        lab("delay", "off")


def enter_network():
    """Moves the calling process to where `lab run` would run it, without the time that starting `lab` takes."""
    libc = ctypes.CDLL(None, use_errno=True)
    path = f"/run/netns/cilab-{NAME}"
    if os.path.exists(f"{path}-ctl"):
        path += "-ctl"
    namespace = os.open(path, os.O_RDONLY)
    if libc.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), f"cannot enter {path}")
    os.close(namespace)


def inventory(count, roles=False):
    """An inventory of ci-bootstrap for the first hosts, as root; without roles they are only prepared. Gives path and addresses."""
    text = lab("inventory", count).replace("user: admin", "user: root")
    lines, addresses = [], []
    for line in text.splitlines():
        if line.startswith("  - { name:") and "address: " in line:
            addresses.append(line.split("address: ")[1].split(",")[0])
            if not roles:
                line = f"  - {{ name: node{len(addresses)}, address: {addresses[-1]}, roles: [] }}"
        lines.append(line)
    path = WORK / f"inventory{'-cluster' if roles else ''}-{count}.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path, addresses


def keep_as_prepared(number):
    """Makes the disk of a host that is done the one that others start from."""
    lab("host", "poweroff", number)
    kind, disk = ROOT / "rootfs" / PREPARED, RUN / f"host{number}" / "disk"
    shutil.rmtree(kind, ignore_errors=True)
    subprocess.run(["cp", "-a", ROOT / "rootfs" / "bookworm", kind], check=True)
    subprocess.run(["cp", "-aT", "--remove-destination", disk, kind], check=True)
    # What the overlay calls deleted is a character device in it.
    subprocess.run(["find", kind, "-xdev", "-type", "c", "-delete"], check=True)
    for own in [*kind.glob("etc/ssh/ssh_host_*"), *kind.glob("var/cache/apt/archives/*.deb")]:
        own.unlink()
    (kind / "etc/machine-id").write_text("")


def is_prepared():
    return (ROOT / "rootfs" / PREPARED).exists()


def forget_prepared():
    shutil.rmtree(ROOT / "rootfs" / PREPARED, ignore_errors=True)
