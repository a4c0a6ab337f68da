#!/usr/bin/env python3
"""Writes tests/data/gymnasium/*.json: the transition tables of the toy-text environments that datasets/ redraws.

The tests compare the datasets with these tables, so Gymnasium itself is needed only to write them anew:

    python3 -m venv /tmp/gymnasium && /tmp/gymnasium/bin/pip install gymnasium
    /tmp/gymnasium/bin/python scripts/export_gymnasium.py

A file holds `transitions[state][action] = [[probability, successor, ends], ...]`, as `env.unwrapped.P` without rewards,
and `start`, the probability of every state to be the first.
"""

import json
import pathlib

import gymnasium

ENVIRONMENTS = {
    "frozenlake-4x4": ("FrozenLake-v1", {"map_name": "4x4", "is_slippery": True}),
    "frozenlake-8x8": ("FrozenLake-v1", {"map_name": "8x8", "is_slippery": True}),
    "cliffwalking": ("CliffWalking-v1", {}),
    "taxi": ("Taxi-v4", {}),
}


def export(environment, options):
    env = gymnasium.make(environment, **options).unwrapped
    transitions = [
        [[[float(p), int(to), bool(ends)] for p, to, _, ends in env.P[state][action]] for action in sorted(env.P[state])]
        for state in sorted(env.P)
    ]
    return {
        "gymnasium": gymnasium.__version__,
        "environment": environment,
        "options": options,
        "start": [float(p) for p in env.initial_state_distrib],
        "transitions": transitions,
    }


def main():
    folder = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "gymnasium"
    folder.mkdir(parents=True, exist_ok=True)
    for name, (environment, options) in ENVIRONMENTS.items():
        table = export(environment, options)
        head = {key: value for key, value in table.items() if key != "transitions"}
        rows = ",\n".join("  " + json.dumps(row, separators=(",", ":")) for row in table["transitions"])
        text = json.dumps(head)[:-1] + ', "transitions": [\n' + rows + "\n]}\n"
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
        print(f"{name}: {len(table['transitions'])} states, {len(text)} bytes")


if __name__ == "__main__":
    main()
