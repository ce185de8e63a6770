#!/usr/bin/env python3
"""Draws what the load bench has measured (its --json FILE) over the number of devices.

  Benchmarks/load/plot.py FOLDER FILE...

Several files, of runs with different numbers of devices, are drawn together. Writes joins.svg (joins a second, latency, share of
what one core's RSA signatures allow), cost.svg (CPU time, syncs, bytes written a join) and memory.svg into FOLDER.
"""
import json
import os
import statistics
import sys

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402

JOINS = ("simple join", "observed join")


def median(rounds, value):
    found = [number for number in map(value, rounds) if number is not None]
    return statistics.median(found) if found else None


def lines(rounds, value, label):
    """One line for each kind of programs, scenario and number at once: its label, and (devices, median) by devices."""
    groups = {}
    for item in rounds:
        groups.setdefault(label(item), {}).setdefault(item["devices"], []).append(item)
    for name, by_devices in groups.items():
        points = [(devices, median(group, value)) for devices, group in sorted(by_devices.items())]
        points = [point for point in points if point[1] is not None]
        if points:
            yield name, points


def draw(path, rounds, panels):
    """Panels: a title, a function from a round to a number, a function from a round to the name of its line."""
    figure, axes = pyplot.subplots(1, len(panels), figsize=(5.5 * len(panels), 4.5), squeeze=False)
    for axis, (title, value, label) in zip(axes[0], panels):
        for name, points in lines(rounds, value, label):
            axis.plot([x for x, _ in points], [y for _, y in points], marker="o", label=name)
        axis.set_title(title)
        axis.set_xlabel("devices that are connected")
        axis.set_xscale("log")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        if axis.get_legend_handles_labels()[1]:
            axis.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path)
    print(path)


def case(item):
    who = "" if item["programs"] == "programs" else item["programs"] + ", "
    return f"{who}{item['scenario']}, {item['atOnce']} at once"


def of(what, role):
    return lambda item: item[what].get(role)


def roles(rounds, what, unit, shown):
    """A panel for each of some programs."""
    return [(f"{name}: {unit}", of(what, role), case) for role, name in shown]


def main():
    if len(sys.argv) < 3 or sys.argv[1] in ("-h", "--help"):
        print(__doc__.strip())
        sys.exit(0 if len(sys.argv) > 1 and sys.argv[1] in ("-h", "--help") else 2)
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    everything = []
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as file:
            everything += json.load(file)["rounds"]
    rounds = [item for item in everything if item["scenario"] in JOINS]
    if not rounds:
        print("error: no joins were measured in " + ", ".join(sys.argv[2:]), file=sys.stderr)
        sys.exit(1)
    draw(os.path.join(folder, "joins.svg"), rounds, [
        ("joins a second", lambda item: item["perSecond"], case),
        ("time to the answer, median, ms", lambda item: item["median"], case),
        ("time to the answer, 99 %, ms", lambda item: item["percentile99"], case),
        ("% of what one core's RSA allows", lambda item: 100 * item["shareOfSignatures"]
            if item.get("shareOfSignatures") is not None else None, case),
    ])
    both = [("c2", "C2 server"), ("broker", "broker")]
    draw(os.path.join(folder, "cost.svg"), rounds,
         roles(rounds, "cpu", "CPU ms a join", both) + roles(rounds, "syncs", "syncs a join", both)
         + roles(rounds, "kibibytes", "KiB written a join", both[:1]))
    draw(os.path.join(folder, "memory.svg"), rounds, [
        (f"{name}: MiB (proportional)", lambda item, role=role: (item["memory"].get(role) or {}).get("proportional"), case)
        for role, name in both + [("key-service", "key service")]
    ])


if __name__ == "__main__":
    main()
