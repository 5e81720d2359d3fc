"""bench.py [noop] [far] [first] [cluster]   Measures, and writes a table of each part (docs/benchmarks.md says what they mean).

Environment: BENCH_HOSTS (1,10,50,100)   sizes of `noop`
             BENCH_FIRST (1,10)          sizes of `first`
             BENCH_TOOLS                 which tools (floor,ci-bootstrap,pyinfra,ansible)
             BENCH_SLOW (100)            largest number of hosts that Ansible is asked to do
             BENCH_KEEP                  if set, the prepared host of the last measurement is used again
"""
import functools
import os
import pathlib
import re
import sys

import desired
import lab
import table
import tools

SIZES = [int(size) for size in os.environ.get("BENCH_HOSTS", "1,10,50,100").split(",")]
FIRST = [int(size) for size in os.environ.get("BENCH_FIRST", "1,10").split(",")]
TOOLS = os.environ.get("BENCH_TOOLS", ",".join(tools.ALL)).split(",")
SLOW = int(os.environ.get("BENCH_SLOW", "100"))
KEEP = os.environ.get("BENCH_KEEP")
CLUSTER = 3


def repetitions(tool, size):
    """The fast ones often, for their medians; the slow ones for as long as a person can wait."""
    if tool in ("floor", "ci-bootstrap"):
        return 9 if size <= 10 else 15  # a hundred log-ins at once vary by a factor of two
    if tool == "pyinfra":
        return 3 if size <= 10 else 1
    return 0 if size > SLOW else 1


def compare(part, size, changes_allowed=False):
    """Runs the tools in turns, so that what else the machine does meets them all."""
    inventory, addresses = lab.inventory(size)
    desired.names(addresses)
    counts = {tool: repetitions(tool, size) for tool in TOOLS}
    for turn in range(max(counts.values())):
        # Each follows each: what a run leaves to the hosts, such as sessions to be closed, falls into the next one.
        for tool in (tool for tool in TOOLS[:: (-1) ** turn] if turn < counts[tool]):
            run = tools.ALL[tool](inventory, addresses)
            if run.changes and not changes_allowed:
                raise SystemExit(f"{tool} made {run.changes} changes where none was to make: see {run.log}")
            table.record(part, size, tool, run)


def settle(size):
    """Every host as the inventory says, and the peers told the same."""
    inventory, addresses = lab.inventory(size)
    tools.ours(inventory, addresses)
    if tools.ours(inventory, addresses).changes:
        raise SystemExit(f"ci-bootstrap has changes to make in its second run: see {tools.WORK}/last-ci-bootstrap.log")
    return desired.collect(1)


@functools.cache
def prepare():
    """Makes the kind of host that `noop` starts from, with what every tool needs on it; finds out if they agree."""
    if KEEP and lab.is_prepared():
        return
    with lab.hosts(1):
        inventory, addresses = lab.inventory(1)
        settle(1)
        desired.names(addresses)
        for tool in TOOLS:
            tools.ALL[tool](inventory, addresses)
        compare("prepare", 1)
        lab.keep_as_prepared(1)


def noop():
    prepare()
    for size in SIZES:
        with lab.hosts(size, lab.PREPARED):
            settle(size)
            lab.quiet()
            compare("noop", size)


def far():
    prepare()
    with lab.hosts(1, lab.PREPARED):
        settle(1)
        with lab.far(50):
            compare("far", 1)


def first():
    """Bare hosts each time: this is what `first` measures."""
    for size in FIRST:
        for tool in (tool for tool in TOOLS if tool != "floor"):
            with lab.hosts(size):
                # Where there is no prepared host to take it from, one beside those that are measured is prepared.
                inventory, addresses = lab.inventory(size)
                site(size + 1)
                desired.names(addresses)
                table.record("first", size, tool, tools.ALL[tool](inventory, addresses))


def site(number):
    """The desired files of this lab, from one more host that ci-bootstrap prepares."""
    lab.lab("host", "up", number)
    lab.lab("host", "wait", number)
    inventory, _ = lab.inventory(number)
    alone = pathlib.Path(str(inventory).replace(".yaml", "-alone.yaml"))
    lines = inventory.read_text().splitlines()
    kept = [line for line in lines if not (line.startswith("  - { name: node") and f"node{number}," not in line)]
    alone.write_text("\n".join(kept) + "\n")
    tools.ours(alone, [])
    result = desired.collect(number)
    lab.lab("host", "down", number)
    return result


def cluster():
    """From bare hosts to nodes that are Ready."""
    for _ in range(int(os.environ.get("BENCH_CLUSTERS", "1"))):
        with lab.hosts(CLUSTER):
            inventory, addresses = lab.inventory(CLUSTER, roles=True)
            table.record("cluster", CLUSTER, "ci-bootstrap", tools.ours(inventory, addresses))
            lab.lab("smoke", 1)
        with lab.hosts(CLUSTER):
            inventory, addresses = lab.inventory(CLUSTER)
            text = inventory.read_text()
            wanted = site(CLUSTER + 1)
            run = tools.by_hand(addresses, wanted, registry=re.search(r"imageRepository: (\S+)", text)[1],
                                manifest=re.search(r"manifest: { url: ([^, ]+)", text)[1],
                                version=re.search(r"kubernetes: (\S+)", text)[1])
            table.record("cluster", CLUSTER, "by hand", run)
            lab.lab("smoke", 1)


PARTS = {"noop": noop, "far": far, "first": first, "cluster": cluster}


def main():
    parts = sys.argv[1:] or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        raise SystemExit(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    lab.WORK.joinpath("cp").mkdir(parents=True, exist_ok=True)
    table.begin()
    try:
        for part in parts:
            PARTS[part]()
    finally:
        if not KEEP:
            lab.forget_prepared()
        print(table.markdown())


main()
