"""The programs that are compared: how each is run, and what its output says it has changed."""
import os
import pathlib
import re
import subprocess
import threading
import time

from lab import KEY, REPOSITORY, RUN, WORK, enter_network

HERE = pathlib.Path(__file__).resolve().parent
RELEASE = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / os.environ.get("BENCH_PROFILE", "release")
VENV = pathlib.Path(os.environ.get("BENCH_VENV", WORK / "venv"))
LIMIT = 1800


class Run:
    """One run: seconds, changes, peak memory in KiB and the whole output."""

    def __init__(self, tool, command, directory=HERE, **environment):
        log = WORK / f"last-{tool}.log"
        began = time.perf_counter()
        with log.open("w") as output:
            # GNU time costs a fork, which everybody pays.
            child = subprocess.Popen(["/usr/bin/time", "-f", "peak-memory %M", *map(str, command)], cwd=directory,
                                     env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=output,
                                     stderr=subprocess.STDOUT, preexec_fn=enter_network)
            try:

                wait(child)
            finally:
                child.kill()
        self.seconds = time.perf_counter() - began
        self.tool, self.log, self.text = tool, log, log.read_text(errors="replace")
        if child.returncode:
            raise SystemExit(f"{tool} failed ({child.returncode}); the end of {log}:\n" + self.text[-3000:])
        self.memory = int(self.numbers(r"peak-memory (\d+)")[-1])
        self.changes = None

    def numbers(self, pattern):
        found = [int(number) for number in re.findall(pattern, self.text)]
        if not found:
            raise SystemExit(f"{self.tool} did not say {pattern!r}; the end of {self.log}:\n" + self.text[-3000:])
        return found


def wait(child):
    """Waits to the very moment, with a limit: `wait(timeout)` polls, and is up to 50 ms late."""
    alarm = threading.Timer(LIMIT, child.kill)
    alarm.start()
    child.wait()
    alarm.cancel()


def ours(inventory, addresses):
    run = Run("ci-bootstrap", [RELEASE / "ci-bootstrap", "apply", "--yes", "--json", inventory], XDG_STATE_HOME=str(WORK / "state"))
    run.changes = run.numbers(r'"changes":(\d+)')[-1]
    return run


def floor(inventory, addresses):
    run = Run("floor", [RELEASE / "bench-floor", inventory])
    run.seconds = float(re.search(r"^\d+\.\d+$", run.text, re.MULTILINE)[0])
    run.changes = 0
    return run


def ansible(inventory, addresses):
    hosts = WORK / "ansible-hosts"
    hosts.write_text("\n".join(addresses) + "\n")
    ssh = f"-i {KEY} -o UserKnownHostsFile={RUN}/known_hosts -o ControlMaster=auto -o ControlPersist=60s"
    run = Run("ansible", [VENV / "bin" / "ansible-playbook", "-i", hosts, "-e", f"work={WORK}", "ansible/host.yml"],
              ANSIBLE_CONFIG=str(HERE / "ansible" / "ansible.cfg"), ANSIBLE_SSH_ARGS=ssh,
              ANSIBLE_SSH_CONTROL_PATH_DIR=str(WORK / "cp"), ANSIBLE_LOCAL_TEMP=str(WORK / "ansible-tmp"))
    run.changes = sum(run.numbers(r" changed=(\d+) "))
    if any(run.numbers(r" (?:unreachable|failed)=(\d+) ")):
        raise SystemExit(f"ansible failed: see {run.log}")
    close_masters(addresses)
    return run


def close_masters(addresses):
    """The next run shall not find connections of this one."""
    for socket in (WORK / "cp").iterdir():
        subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "host"], capture_output=True, timeout=20)


def pyinfra(inventory, addresses):
    run = Run("pyinfra", [VENV / "bin" / "pyinfra", "-y", "inventory.py", "host.py"], HERE / "pyinfra",
              BENCH_WORK=str(WORK), BENCH_KEY=str(KEY), BENCH_KNOWN_HOSTS=str(RUN / "known_hosts"))
    total = re.search(r"Grand total +(\d+|-) +(\d+|-) +(\d+|-) +(\d+|-)", run.text)
    run.changes = int(total[2].replace("-", "0"))
    if total[3] != "-":
        raise SystemExit(f"pyinfra failed: see {run.log}")
    return run


def by_hand(addresses, desired, registry, manifest, version):
    return Run("by-hand", [HERE / "by-hand.sh", *addresses], BENCH_SITE=str(WORK / "site"), BENCH_KEY=str(KEY),
               BENCH_KNOWN_HOSTS=str(RUN / "known_hosts"), BENCH_REGISTRY=registry, BENCH_MANIFEST=manifest,
               BENCH_VERSION=version, BENCH_PACKAGES=" ".join(desired["tools"] + desired["packages"]))


ALL = {"floor": floor, "ci-bootstrap": ours, "pyinfra": pyinfra, "ansible": ansible}
