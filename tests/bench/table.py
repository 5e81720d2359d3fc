"""What was measured: one line of JSON for each run, and medians and ratios as Markdown."""
import json
import os
import statistics
import sys

from lab import WORK

RUNS = WORK / "runs.jsonl"
runs = []


def begin():
    RUNS.parent.mkdir(parents=True, exist_ok=True)
    RUNS.unlink(missing_ok=True)


def record(part, hosts, tool, run):
    line = {"part": part, "hosts": hosts, "tool": tool, "seconds": round(run.seconds, 3), "memory": run.memory,
            "changes": run.changes, "load": os.getloadavg()[0]}
    runs.append(line)
    with RUNS.open("a") as file:
        file.write(json.dumps(line) + "\n")
    print(f"{part} {hosts} {tool}: {run.seconds:.2f} s", file=sys.stderr, flush=True)


def median(part, hosts, tool, what="seconds"):
    found = [run[what] for run in runs if (run["part"], run["hosts"], run["tool"]) == (part, hosts, tool)]
    return statistics.median(found) if found else None


def of(part, key):
    """The values of a key among a part's runs, in their order."""
    return list(dict.fromkeys(run[key] for run in runs if run["part"] == part))


def rows(part):
    """Each number of hosts: seconds of ours, and of the others as multiples of it; the floor the other way round."""
    for hosts in of(part, "hosts"):
        ours = median(part, hosts, "ci-bootstrap")
        cells = [str(hosts), f"{ours:.2f} s"]
        for tool in (tool for tool in of(part, "tool") if tool != "ci-bootstrap"):
            other = median(part, hosts, tool)
            # The floor is what ours is a multiple of; the others are multiples of ours.
            upside = ours / other if other and tool in BELOW else other and other / ours
            cells.append(f"{other:.2f} s (×{upside:.2f})" if other else "–")
        cells.append(f"{median(part, hosts, 'ci-bootstrap', 'memory') / 1024:.0f} MiB")
        yield cells


BELOW = ("floor", "by hand")


def markdown():
    text = []
    for part in (part for part in dict.fromkeys(run["part"] for run in runs) if part != "prepare"):
        others = [tool for tool in of(part, "tool") if tool != "ci-bootstrap"]
        head = ["hosts", "ci-bootstrap"]
        head += [f"{tool} ({'ours ÷ it' if tool in BELOW else 'it ÷ ours'})" for tool in others] + ["our memory"]
        text += [f"\n{part}\n", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
        text += ["| " + " | ".join(cells) + " |" for cells in rows(part)]
    if not runs:
        return "nothing was measured"
    loads = [run["load"] for run in runs]
    return "\n".join(text) + f"\n\nLoad of the machine while measuring: {min(loads):.1f} to {max(loads):.1f}."
