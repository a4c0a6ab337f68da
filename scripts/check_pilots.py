#!/usr/bin/env python3
"""Holds the pilot's choice of a method against the clock, on every dataset.

    cargo build --release && python3 scripts/check_pilots.py [--binary target/release/powersweep] [--most 1.5] [DATASET...]

Every method runs on its own, on one thread, with as many goals as take half a second of processor time beyond what a run of 64 goals takes; the method
that the pilot chose should take no more than 1.5 times the time of the best one. Prints a row a dataset and discount, and exits 1 if one does not hold.
Processor time, not the clock on the wall: other programs may run beside it, though not many.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DISCOUNTS = [0.5, 0.9, 0.99, 0.999]
METHODS = ["in-place", "jacobi", "policy-iteration", "extrapolated"]
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
# Beyond it a method has lost, whatever its time is.
ENOUGH_SECONDS = 0.5
MOST_GOALS = 1 << 22


def run(binary, experiment, out, method, goals):
    """Processor seconds of a run, and its directory; None where the method cannot be used."""
    shutil.rmtree(out, ignore_errors=True)
    command = [binary, "run", experiment, "--out", out, "--method", method, "--samples", str(goals), "--threads", "1"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1) or not solved(out):
        return None, done.stderr
    return after.ru_utime - before.ru_utime, out


def manifest(out):
    return json.loads((pathlib.Path(out) / "manifest.json").read_text())


def solved(out):
    """Whether the method was taken, and solved any goal."""
    return manifest(out)["failures"] == 0


def per_goal(binary, experiment, out, method):
    """Microseconds a goal, or None."""
    least, note = run(binary, experiment, out, method, 64)
    if least is None:
        return None, note
    goals = 1 << 10
    while True:
        seconds, _ = run(binary, experiment, out, method, goals)
        if seconds is None:
            return None, "failed"
        if seconds - least > ENOUGH_SECONDS or goals >= MOST_GOALS:
            return 1e6 * (seconds - least) / (goals - 64), note
        goals *= 4


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
                times = {m: per_goal(arguments.binary, experiment, out, m)[0] for m in METHODS}
                known = [t for t in times.values() if t is not None]
                ratio = times[choice] / max(min(known), 1e-9)
                failed += ratio > arguments.most
                cells = [f"{times[m]:.3g} us" if times[m] is not None else "-" for m in METHODS]
                mark = " **" if ratio > arguments.most else ""
                name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
                print(f"| {name} | {discount} | {choice} | {' | '.join(cells)} | {ratio:.2f}{mark} |", flush=True)
    print(f"\n{failed} beyond {arguments.most}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
