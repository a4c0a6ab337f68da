#!/usr/bin/env python3
"""Writes tests/data/gymnasium/*.json: the transition tables of the toy-text environments that datasets/ redraws.

The tests read these tables as MDPs and compare them with the datasets, so Gymnasium itself is needed only to write them anew:

    python3 -m venv /tmp/gymnasium && /tmp/gymnasium/bin/pip install gymnasium
    /tmp/gymnasium/bin/python scripts/export_gymnasium.py

The format is that of `scripts/gymnasium_to_json.py`, which does the work.
"""

import pathlib

import gymnasium
import gymnasium_to_json

ENVIRONMENTS = {
    "frozenlake-4x4": ("FrozenLake-v1", {"map_name": "4x4", "is_slippery": True}),
    "frozenlake-8x8": ("FrozenLake-v1", {"map_name": "8x8", "is_slippery": True}),
    "cliffwalking": ("CliffWalking-v1", {}),
    "taxi": ("Taxi-v4", {}),
}


def main():
    folder = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "gymnasium"
    folder.mkdir(parents=True, exist_ok=True)
    for name, (environment, options) in ENVIRONMENTS.items():
        table = gymnasium_to_json.document(gymnasium.make(environment, **options), environment, options)
        text = gymnasium_to_json.text(table)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
        print(f"{name}: {len(table['P'])} states, {len(text)} bytes")


if __name__ == "__main__":
    main()
