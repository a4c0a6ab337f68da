#!/usr/bin/env python3
"""Writes datasets/bench/w6.json: three rooms with an off switch, and the same rooms with the switch disabled.

The rules are those of datasets/bench/README.md; nothing but Python's standard library is needed.

    python3 scripts/generate_w6.py > datasets/bench/w6.json
"""

import json
from fractions import Fraction

ROOMS = """
.....#.....#....F
.....#.....#.....
.................
.....#.....#.....
.....#.....#.....
""".split()
MOVES = {"stay": (0, 0), "north": (-1, 0), "south": (1, 0), "west": (0, -1), "east": (0, 1)}
SLIP = Fraction(1, 10)  # shared equally by the four other moves
DOORS = [(2, 5), (2, 11)]

CELLS = [(r, c) for r, line in enumerate(ROOMS) for c, cell in enumerate(line) if cell != "#"]
OFF = next((r, c) for r, c in CELLS if ROOMS[r][c] == "F")


def name(cell, disabled):
    """The state of a cell: `r2c5` while the switch works, `r2c5 disabled` afterwards."""
    return "r{}c{}".format(*cell) + (" disabled" if disabled else "")


def after(cell, move):
    """The cell that a move leads to; one into a wall or off the map stays."""
    there = (cell[0] + MOVES[move][0], cell[1] + MOVES[move][1])
    return there if there in CELLS else cell


def choice(cell, move, disabled):
    """The intended move with 1 - SLIP, each of the other four with SLIP / 4. Exact sums, rounded once."""
    to = {}
    for happens in MOVES:
        p = 1 - SLIP if happens == move else SLIP / 4
        there = name(after(cell, happens), disabled)
        to[there] = to.get(there, 0) + p
    assert sum(to.values()) == 1
    return {"action": move, "to": {state: float(p) for state, p in to.items()}}


def choices(cell, disabled):
    """All choices of a state."""
    if cell == OFF and not disabled:
        return [{"action": "stay", "to": {name(cell, False): 1.0}}]
    found = [choice(cell, move, disabled) for move in MOVES]
    if cell in DOORS and not disabled:
        found.append({"action": "disable", "to": {name(cell, True): 1.0}})
    return found


def main():
    """Prints the file, one state a line."""
    states = [(cell, disabled) for disabled in (False, True) for cell in CELLS]
    rows = ",\n".join(
        "    {}: {}".format(json.dumps(name(*state)), json.dumps(choices(*state))) for state in states
    )
    labels = {
        "off": [name(OFF, False)],
        "disabled": [name(cell, True) for cell in CELLS],
    }
    doors = {"disable": [[name(door, False), "disable"] for door in DOORS]}
    print("{")
    print('  "name": "w6",')
    print('  "states": {},'.format(json.dumps([name(*state) for state in states])))
    print('  "start": {},'.format(json.dumps(name(CELLS[0], False))))
    print('  "transitions": {\n' + rows + "\n  },")
    print('  "labels": {},'.format(json.dumps(labels)))
    print('  "choice_labels": {}'.format(json.dumps(doors)))
    print("}")


if __name__ == "__main__":
    main()
