#!/usr/bin/env python3
"""Holds the pilot's choice of a method against the clock, on every dataset.

    cargo build --release && python3 scripts/check_pilots.py [--binary target/release/powersweep] [--most 1.5] [DATASET...]

Every method runs on its own, on one thread, with as many goals as take the one that the pilot chose half a second of processor time beyond what a run of 64
goals takes; that one should take no more than 1.5 times the time of the best one. A method that takes more than four times as long is stopped (`>`). Prints a row
a dataset and discount, and exits 1 if one does not hold. Processor time, not the clock on the wall: other programs may run beside it, though not many; a row that
does not hold is measured once more, and the shorter times count.
"""

import argparse
import json
import math
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DISCOUNTS = [0.5, 0.9, 0.99, 0.999]
METHODS = ["in-place", "jacobi", "policy-iteration", "over-relaxed"]
EXPERIMENT = """schema = 1
[mdp]
path = "{path}"
[[reward]]
distribution = "uniform"
[solve]
discount = {discount}
tolerance = {tolerance}
backend = "cpu"
"""
# What the chosen method takes at least, beyond a run of few goals.
ENOUGH_SECONDS = 0.5
MOST_GOALS = 1 << 22
FEW_GOALS = 64
# A method that takes so many times as long as the chosen one has lost.
LOST = 4


def run(binary, experiment, out, method, goals, most_seconds=None):
    """Processor seconds of a run; infinity where it takes more than `most_seconds`, None where the method cannot be used."""

    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (most_seconds, most_seconds))

    shutil.rmtree(out, ignore_errors=True)
    command = [binary, "run", experiment, "--out", out, "--method", method, "--samples", str(goals), "--threads", "1"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit if most_seconds else None)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode < 0:
        return math.inf
    if done.returncode not in (0, 1) or not solved(out):
        return None
    return after.ru_utime - before.ru_utime


def manifest(out):
    return json.loads((pathlib.Path(out) / "manifest.json").read_text())


def solved(out):
    """Whether the method was taken, and solved any goal."""
    return manifest(out)["failures"] == 0


class Times:
    """Processor time of every method on one experiment, with as many goals as suit the chosen one."""

    def __init__(self, binary, experiment, out, choice):
        self.run = lambda *how: run(binary, experiment, out, *how)
        self.choice = choice
        self.few = self.run(choice, FEW_GOALS)
        self.goals = 1 << 10
        while True:
            self.seconds = self.run(choice, self.goals) - self.few
            if self.seconds > ENOUGH_SECONDS or self.goals >= MOST_GOALS:
                break
            self.goals *= 4
        self.least = {}

    def measure(self):
        """Microseconds a goal by method, the least of all that were measured; None where a method cannot be used."""
        for method in METHODS:
            most = math.ceil(2 + self.few + LOST * self.seconds)
            few = self.run(method, FEW_GOALS, most)
            many = None if few is None else self.run(method, self.goals, most)
            if many is None:
                self.least[method] = None
                continue
            each = 1e6 * (many - few) / (self.goals - FEW_GOALS) if math.isfinite(many) else math.inf
            self.least[method] = min(each, self.least.get(method, math.inf))
        return self.least

    def ratio(self):
        """What the chosen method takes over the best one."""
        known = [t for t in self.least.values() if t is not None]
        return self.least[self.choice] / max(min(known), 1e-9)

    def cell(self, method):
        """A cell of the table."""
        each = self.least[method]
        if each is None:
            return "-"
        most = 1e6 * LOST * self.seconds / self.goals
        return f"{each:.3g} us" if math.isfinite(each) else f"> {most:.2g} us"


def chosen(binary, experiment, out):
    run(binary, experiment, out, "auto", 64)
    return manifest(out)["cells"][0]["pilot"]["chosen"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(ROOT / "target/release/powersweep"))
    parser.add_argument("--most", type=float, default=1.5)
    parser.add_argument("dataset", nargs="*")
    arguments = parser.parse_args()
    datasets = [pathlib.Path(d).resolve() for d in arguments.dataset]
    datasets = datasets or sorted(p for p in (ROOT / "datasets").rglob("*") if p.suffix in (".toml", ".json"))
    failed = 0
    print("| dataset | discount | pilot |", " | ".join(METHODS), "| chosen over best |")
    print("|" + " --- |" * (len(METHODS) + 4))
    with tempfile.TemporaryDirectory() as folder:
        experiment, out = os.path.join(folder, "experiment.toml"), os.path.join(folder, "out")
        for path in datasets:
            for discount in DISCOUNTS:
                tolerance = 1e-5 if discount < 0.999 else 1e-4
                text = EXPERIMENT.format(path=path, discount=discount, tolerance=tolerance)
                pathlib.Path(experiment).write_text(text)
                try:
                    choice = chosen(arguments.binary, experiment, out)
                except (OSError, ValueError, LookupError, TypeError):
                    choice = None
                if choice is None:
                    break
                times = Times(arguments.binary, experiment, out, choice)
                times.measure()
                if times.ratio() > arguments.most:
                    times.measure()
                ratio = times.ratio()
                failed += ratio > arguments.most
                cells = [times.cell(m) for m in METHODS]
                mark = " **" if ratio > arguments.most else ""
                name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
                print(f"| {name} | {discount} | {choice} | {' | '.join(cells)} | {ratio:.2f}{mark} |", flush=True)
    print(f"\n{failed} beyond {arguments.most}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
