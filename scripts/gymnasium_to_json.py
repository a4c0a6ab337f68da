#!/usr/bin/env python3
"""Writes the transition table of a Gymnasium environment as JSON that powersweep reads.

    python3 -m venv /tmp/gymnasium && /tmp/gymnasium/bin/pip install gymnasium
    /tmp/gymnasium/bin/python scripts/gymnasium_to_json.py FrozenLake-v1 --option map_name=8x8 -o lake.json
    powersweep inspect lake.json

Any environment with `env.unwrapped.P` will do: P[state][action] = [(probability, successor, reward, ends), ...]. The rewards are left out, since
goals are sampled. Where an episode ends, powersweep makes the state absorbing. `env.unwrapped.initial_state_distrib`, if there, is the start.

From Python: `json.dump(gymnasium_to_json.document(env), file)`.
"""

import argparse
import json
import sys


def document(env, environment=None, options=None, actions=None):
    """The table of an environment as a dictionary for json.dump; `actions` names the actions."""
    import gymnasium

    env = env.unwrapped
    if not hasattr(env, "P"):
        raise SystemExit(f"{env} has no table P: only tabular environments (toy text and the like) can be written")
    table = {"gymnasium": gymnasium.__version__, "environment": environment or str(env), "options": options or {}}
    if actions:
        table["actions"] = list(actions)
    start = getattr(env, "initial_state_distrib", None)
    if start is not None:
        table["start"] = [float(p) for p in start]
    table["P"] = [
        [[[float(p), int(to), bool(ends)] for p, to, _, ends in env.P[state][action]] for action in sorted(env.P[state])]
        for state in sorted(env.P)
    ]
    return table


def text(table):
    """The same as text, one state a line."""
    head = {key: value for key, value in table.items() if key != "P"}
    rows = ",\n".join("  " + json.dumps(row, separators=(",", ":")) for row in table["P"])
    return json.dumps(head)[:-1] + ', "P": [\n' + rows + "\n]}\n"


def option(word):
    """`is_slippery=false` as a key and a Python value."""
    key, separator, value = word.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{word!r} is not KEY=VALUE")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("environment", help="the name that gymnasium.make knows, like FrozenLake-v1")
    parser.add_argument("--option", metavar="KEY=VALUE", type=option, action="append", default=[], help="an option of the environment")
    parser.add_argument("--actions", metavar="NAME,NAME,...", help="names of the actions, in the environment's order")
    parser.add_argument("-o", "--out", help="the file to write [default: standard output]")
    arguments = parser.parse_args()

    import gymnasium

    options = dict(arguments.option)
    actions = arguments.actions.split(",") if arguments.actions else None
    env = gymnasium.make(arguments.environment, **options)
    written = text(document(env, arguments.environment, options, actions))
    if arguments.out:
        with open(arguments.out, "w", encoding="utf-8") as file:
            file.write(written)
    else:
        sys.stdout.write(written)


if __name__ == "__main__":
    main()
