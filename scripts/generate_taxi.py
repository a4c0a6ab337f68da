#!/usr/bin/env python3
"""Writes datasets/taxi.json: the Taxi problem (Dietterich 2000, JAIR 13, section 2; Gymnasium's Taxi-v3 and -v4) from its rules.

A taxi on a 5 x 5 grid fetches a passenger at one of four stands and brings them to another one. A state is (row, column,
where the passenger is, destination): 5 * 5 * 5 * 4 = 500, numbered as Gymnasium numbers them.

Rules, each one deterministic:
  * south, north, east, west move the taxi by one cell; the border and the walls `|` of the map leave it in place;
  * pickup takes the passenger aboard when the taxi is where they wait, else nothing changes;
  * dropoff sets a passenger aboard down at the destination, which ends the episode, or at any other stand; elsewhere
    nothing changes.

The episode's end becomes absorption: in the four states "taxi and passenger both at the destination" the only choice is
`stay`. Ninety-six more states (passenger at the destination, taxi elsewhere) cannot be reached from the start, in
Gymnasium as here; they are kept so that the numbers agree. Rewards are no part of the file: goals are sampled.

Run from anywhere: `python3 scripts/generate_taxi.py` writes the file, `--print` prints it instead.
"""

import json
import pathlib
import sys

MAP = [
    "|R: | : :G|",
    "| : | : : |",
    "| : : : : |",
    "| | : | : |",
    "|Y| : |B: |",
]
SIZE = 5
STANDS = {"red": (0, 0), "green": (0, 4), "yellow": (4, 0), "blue": (4, 3)}
PASSENGER = [*STANDS, "aboard"]
MOVES = {"south": (1, 0), "north": (-1, 0), "east": (0, 1), "west": (0, -1)}


def name(row, column, passenger, destination):
    where = passenger if passenger == "aboard" else f"at_{passenger}"
    return f"r{row}c{column}_{where}_to_{destination}"


def move(row, column, action):
    """Where a move leads. Characters 2c and 2c + 2 of a map line are what stands west and east of column c."""
    down, right = MOVES[action]
    if right and MAP[row][2 * column + 1 + right] == "|":
        return row, column
    return min(max(row + down, 0), SIZE - 1), column + right


def successor(row, column, passenger, destination, action):
    here = (row, column)
    if action in MOVES:
        here = move(row, column, action)
    elif action == "pickup" and STANDS.get(passenger) == here:
        passenger = "aboard"
    elif action == "dropoff" and passenger == "aboard":
        passenger = next((stand for stand, at in STANDS.items() if at == here), passenger)
    return *here, passenger, destination


def is_delivered(row, column, passenger, destination):
    return passenger == destination and STANDS[destination] == (row, column)


def build():
    states = [
        (row, column, passenger, destination)
        for row in range(SIZE)
        for column in range(SIZE)
        for passenger in PASSENGER
        for destination in STANDS
    ]
    # Gymnasium starts anywhere, the passenger waiting at a stand that is not the destination.
    starts = [s for s in states if s[2] not in ("aboard", s[3])]
    transitions = {}
    for state in states:
        actions = ["stay"] if is_delivered(*state) else [*MOVES, "pickup", "dropoff"]
        rows = [(a, state if a == "stay" else successor(*state, a)) for a in actions]
        transitions[name(*state)] = [{"action": a, "to": {name(*to): 1}} for a, to in rows]
    return {
        "name": "taxi",
        "description": "The Taxi problem (Dietterich 2000), written by scripts/generate_taxi.py.",
        "states": [name(*s) for s in states],
        "start": {name(*s): 1 / len(starts) for s in starts},
        "transitions": transitions,
        "labels": {
            "aboard": [name(*s) for s in states if s[2] == "aboard"],
            "delivered": [name(*s) for s in states if is_delivered(*s)],
        },
    }


def layout(mdp):
    """JSON with one state, one choice or one start probability a line: readable, and with readable differences."""

    def lines(items, opening, closing, indent):
        pad = " " * indent
        return opening + "\n" + ",\n".join(f"{pad}  {item}" for item in items) + f"\n{pad}{closing}"

    def entries(table):
        return [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in table.items()]

    rows = [
        f"{json.dumps(state)}: " + lines(map(json.dumps, choices), "[", "]", 4)
        for state, choices in mdp["transitions"].items()
    ]
    labels = [
        f"{json.dumps(label)}: " + lines(map(json.dumps, states), "[", "]", 4)
        for label, states in mdp["labels"].items()
    ]
    body = {
        "name": json.dumps(mdp["name"]),
        "description": json.dumps(mdp["description"]),
        "states": lines(map(json.dumps, mdp["states"]), "[", "]", 2),
        "start": lines(entries(mdp["start"]), "{", "}", 2),
        "transitions": lines(rows, "{", "}", 2),
        "labels": lines(labels, "{", "}", 2),
    }
    return lines([f'"{key}": {text}' for key, text in body.items()], "{", "}", 0) + "\n"


def main():
    text = layout(build())
    if sys.argv[1:] == ["--print"]:
        sys.stdout.write(text)
        return
    if sys.argv[1:]:
        sys.exit(__doc__)
    path = pathlib.Path(__file__).resolve().parent.parent / "datasets" / "taxi.json"
    path.write_text(text, encoding="utf-8")
    print(f"{path}: {len(text)} bytes")


if __name__ == "__main__":
    main()
