#!/usr/bin/env python3
"""Prints what the last `cargo bench` measured, one row a benchmark: rate, its interval, and the time of one pass.

    cargo bench --bench goals -- end_to_end && python3 scripts/bench_table.py > docs/performance/NAME.md

Reads target/criterion (or $CARGO_TARGET_DIR/criterion). Rates are those of criterion's median, per second, in what the benchmark counts (goals; numbers
for `rng`); low and high are its 95% interval.
"""

import json
import os
import pathlib


def rate(elements, nanoseconds):
    per_second = elements / nanoseconds * 1e9
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if per_second >= factor:
            return f"{per_second / factor:.3g} {unit}/s"
    return f"{per_second:.3g} /s"


def main():
    root = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "criterion"
    rows = []
    for path in sorted(root.glob("**/new/benchmark.json")):
        benchmark = json.loads(path.read_text())
        median = json.loads((path.parent / "estimates.json").read_text())["median"]
        interval = median["confidence_interval"]
        elements = benchmark["throughput"]["Elements"]
        low, high = interval["upper_bound"], interval["lower_bound"]
        name = benchmark["full_id"]
        rows.append(
            f"| `{name}` | {rate(elements, median['point_estimate'])} | {rate(elements, low)} | {rate(elements, high)} "
            f"| {median['point_estimate'] / 1e6:.4g} ms |"
        )
    if not rows:
        raise SystemExit(f"nothing in {root}: run cargo bench first")
    print("| benchmark | rate | low | high | one pass |\n| --- | --- | --- | --- | --- |")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
