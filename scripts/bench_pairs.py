#!/usr/bin/env python3
"""Times benchmarks of several builds by turns, and keeps the shortest pass of each.

    cargo bench --no-default-features --no-run      # names the binary; keep a copy of it for every build
    python3 scripts/bench_pairs.py FILTER BINARY BINARY... [--rounds 3] [--samples 40]

For machines whose speed changes from minute to minute: a round runs every binary once, and the shortest of all passes is the time with the least
of other programs in it. Prints a row a benchmark: the shortest pass of every build, its rate, and the time of the first build over that of the last.
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def shortest(binary, pattern, samples):
    """Nanoseconds of the shortest pass and elements of a pass, by benchmark."""
    found = {}
    with tempfile.TemporaryDirectory() as home:
        options = ["--sample-size", str(samples), "--measurement-time", "1", "--warm-up-time", "0.1", "--noplot"]
        command = [str(pathlib.Path(binary).resolve()), "--bench", *options, pattern]
        environment = dict(os.environ, CRITERION_HOME=home)
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for path in pathlib.Path(home).rglob("new/sample.json"):
            sample = json.loads(path.read_text())
            benchmark = json.loads((path.parent / "benchmark.json").read_text())
            elements = next(iter((benchmark["throughput"] or {"none": 0}).values()))
            time = min(t / n for t, n in zip(sample["times"], sample["iters"]))
            found[benchmark["full_id"]] = (time, elements)
    return found


def rate(time, elements):
    return f"{time / 1e6:.4g} ms, {elements / time * 1e3:.3g} M/s"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filter")
    parser.add_argument("binary", nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=40)
    arguments = parser.parse_args()
    best = [{} for _ in arguments.binary]
    for _ in range(arguments.rounds):
        for times, binary in zip(best, arguments.binary):
            for name, found in shortest(binary, arguments.filter, arguments.samples).items():
                times[name] = min(found, times.get(name, found))
    names = [pathlib.Path(b).name for b in arguments.binary]
    print("| benchmark |", " | ".join(names), "| first over last |")
    print("|" + " --- |" * (len(names) + 2))
    for name in sorted(set.intersection(*(set(times) for times in best))):
        cells = [rate(*times[name]) for times in best]
        print(f"| `{name}` | {' | '.join(cells)} | {best[0][name][0] / best[-1][name][0]:.2f} |")


if __name__ == "__main__":
    main()
