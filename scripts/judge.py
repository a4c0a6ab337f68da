#!/usr/bin/env python3
"""Judges the statistics of powersweep from their definitions: small random MDPs, a handful of goals that are all there are, everything computed once more with NumPy.

    scripts/judge.py BINARY [--cases 12] [--seed 1]

Nothing is shared with the program: optimal policies by policy iteration with dense solves, ties by differences below 1e-9; events by following the chain step by step; at the limits of the
discount exact fractions at 1 - 1e-14 and 1e-14. Goals come from a table, so that results are means over the very same goals and no sampling error enters. Exit code 1 where a number lies outside
its bracket, or further than 1e-6 from its definition.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
from fractions import Fraction

import numpy

TIE = 1e-9
FAR = 1e-6


class Mdp:
    """States s0, s1, ...; rows[s][a] is {successor: probability}."""

    def __init__(self, rows, start):
        self.rows, self.start, self.n = rows, start, len(rows)

    def row(self, state, action):
        out = numpy.zeros(self.n)
        for to, p in self.rows[state][action].items():
            out[to] += p
        return out

    def moves(self, policy):
        return numpy.array([sum(w * self.row(s, a) for a, w in enumerate(policy[s])) for s in range(self.n)])

    def begin(self):
        out = numpy.zeros(self.n)
        for state, p in self.start.items():
            out[state] += p
        return out

    def document(self, labels):
        choice = lambda a, row: {"action": f"a{a}", "to": {f"s{t}": p for t, p in row.items()}}
        return {
            "name": "judged",
            "states": [f"s{s}" for s in range(self.n)],
            "start": {f"s{s}": p for s, p in self.start.items()},
            "transitions": {f"s{s}": [choice(a, row) for a, row in enumerate(rows)] for s, rows in enumerate(self.rows)},
            "labels": {"there": [f"s{s}" for s in labels["there"]]},
            "choice_labels": {"done": [[f"s{s}", f"a{a}"] for s, a in labels["done"]]},
        }


def random_mdp(rng, certain):
    n = int(rng.integers(3, 7))
    ends = int(rng.integers(0, 3))
    rows = []
    for state in range(n):
        if state >= n - ends:
            rows.append([{state: 1.0}])
            continue
        choices = []
        for _ in range(3 if state == 0 else int(rng.integers(1, 4))):
            if certain:
                choices.append({int(rng.integers(n)): 1.0})
            else:
                to = rng.choice(n, size=2, replace=False)
                p = (0.25, 0.5, 0.75)[int(rng.integers(3))]
                choices.append({int(to[0]): p, int(to[1]): 1.0 - p})
        rows.append(choices)
    return Mdp(rows, {0: 1.0} if rng.random() < 0.7 else {0: 0.25, 1: 0.75})


def value(mdp, policy, rewards, gamma):
    return numpy.linalg.solve(numpy.eye(mdp.n) - gamma * mdp.moves(policy), rewards)


def next_values(mdp, state, values):
    return numpy.array([mdp.row(state, a) @ values for a in range(len(mdp.rows[state]))])


def optimal(mdp, rewards, gamma):
    """V*, and which choices are optimal."""
    picks = [0] * mdp.n
    while True:
        values = value(mdp, [numpy.eye(len(r))[p] for r, p in zip(mdp.rows, picks)], rewards, gamma)
        worths = [next_values(mdp, s, values) for s in range(mdp.n)]
        better = [p if w[p] >= w.max() - 1e-11 else int(w.argmax()) for p, w in zip(picks, worths)]
        if better == picks:
            return values, [w >= w.max() - TIE for w in worths]
        picks = better


def optimal_exactly(mdp, rewards, gamma):
    """The same with fractions: which choices are optimal at a discount so near its limit that it is as at the limit."""
    rows = [[{t: Fraction(p) for t, p in row.items()} for row in choices] for choices in mdp.rows]
    rewards = [Fraction(float(r)) for r in rewards]
    picks = [0] * mdp.n
    while True:
        matrix = [[Fraction(int(s == t)) for t in range(mdp.n)] + [rewards[s]] for s in range(mdp.n)]
        for s in range(mdp.n):
            for t, p in rows[s][picks[s]].items():
                matrix[s][t] -= gamma * p
        for c in range(mdp.n):
            pivot = next(r for r in range(c, mdp.n) if matrix[r][c] != 0)
            matrix[c], matrix[pivot] = matrix[pivot], matrix[c]
            matrix[c] = [x / matrix[c][c] for x in matrix[c]]
            for r in range(mdp.n):
                if r != c and matrix[r][c] != 0:
                    matrix[r] = [x - matrix[r][c] * y for x, y in zip(matrix[r], matrix[c])]
        values = [row[-1] for row in matrix]
        worths = [[sum(p * values[t] for t, p in row.items()) for row in choices] for choices in rows]
        better = [p if w[p] == max(w) else w.index(max(w)) for p, w in zip(picks, worths)]
        if better == picks:
            return values, [numpy.array([x == max(w) for x in w]) for w in worths]
        picks = better


def evenly(sets):
    return [s / s.sum() for s in (numpy.array(s, float) for s in sets)]


def event(mdp, policy, states, choices, gamma, steps):
    """ever, E gamma^tau, within so many steps, E tau over paths that get there."""
    hit, moves = numpy.zeros(mdp.n), numpy.zeros((mdp.n, mdp.n))
    for s in set(range(mdp.n)) - states:
        for a, w in enumerate(policy[s]):
            if (s, a) in choices:
                hit[s] += w
            else:
                moves[s] += w * mdp.row(s, a)
    here, out = mdp.begin(), numpy.zeros(4)
    hopeful = numpy.array([s in states for s in range(mdp.n)]) | (hit > 0)
    for _ in range(mdp.n):
        hopeful = hopeful | ((moves > 0) @ hopeful)
    for time in range(200_000):
        now = here[list(states)].sum() + here @ hit
        here[list(states)] = 0
        out += [now, gamma**time * now, now * (time <= steps), time * now]
        here = here @ moves
        if here[hopeful].sum() < 1e-16:
            break
    return out


def event_at_best(mdp, sets, states, choices, gamma, steps, best):
    """The same but the time, of whoever picks among optimal choices what makes each of them largest or smallest."""

    def limit(factor, sweeps):
        chance = numpy.zeros(mdp.n)
        for sweep in range(20_000 if sweeps is None else sweeps + 1):
            after = numpy.zeros(mdp.n)
            for s in range(mdp.n):
                later = [factor * (mdp.row(s, a) @ chance) * (sweeps is None or sweep > 0) for a in range(len(mdp.rows[s]))]
                each = [1.0 if (s, a) in choices else later[a] for a in range(len(later)) if sets[s][a]]
                after[s] = 1.0 if s in states else best(each)
            if sweeps is None and abs(after - chance).max() < 1e-15:
                break
            chance = after
        return mdp.begin() @ chance

    return limit(1.0, None), limit(gamma, None), limit(1.0, steps)


def groups(worths):
    """Positions from best to worst, those that tie together."""
    order, out = sorted(range(len(worths)), key=lambda a: -worths[a]), []
    for a in order:
        if out and worths[out[-1][0]] - worths[a] <= TIE:
            out[-1].append(a)
        else:
            out.append([a])
    return out


def rule_choice(rule, worths):
    """Probabilities of choices under a rule (Turner & Tadepalli 2022)."""
    name, number = rule[0], rule[1] if len(rule) > 1 else None
    k, out, ties = len(worths), numpy.zeros(len(worths)), groups(worths)
    if name == "minimise":
        out[ties[-1]] = 1 / len(ties[-1])
    elif name == "uniform":
        out[:] = 1 / k
    elif name in ("boltzmann", "soft"):
        out = numpy.exp(number * (worths - worths.max()))
        out /= out.sum()
    elif name == "epsilon_greedy":
        out[ties[0]] = (1 - number) / len(ties[0])
        out += number / k
    elif name == "satisfice":
        enough = worths >= number - 1e-12
        if enough.any():
            out[enough] = 1 / enough.sum()
        elif rule[2] == "best":
            out[ties[0]] = 1 / len(ties[0])
        elif rule[2] == "uniform":
            out[:] = 1 / k
    elif name == "quantilise":
        left = number * k
        for group in ties:
            take = min(left, len(group))
            out[group] += take / len(group) / (number * k)
            left -= take
    elif name == "best_of":
        above = 0
        for group in ties:
            share = ((k - above) / k) ** number - ((k - above - len(group)) / k) ** number
            out[group] = share / len(group)
            above += len(group)
    return out


RULES = [
    (("boltzmann", 3.0), '{ name = "boltzmann", beta = 3 }'),
    (("soft", 4.0), '{ name = "soft", beta = 4 }'),
    (("epsilon_greedy", 0.2), '{ name = "epsilon_greedy", epsilon = 0.2 }'),
    (("satisfice", 0.45, "stop"), '{ name = "satisfice", t = 0.45 }'),
    (("satisfice", 0.55, "best"), '{ name = "satisfice", t = 0.55, otherwise = "best" }'),
    (("satisfice", 0.6, "uniform"), '{ name = "satisfice", t = 0.6, otherwise = "uniform" }'),
    (("quantilise", 0.4), '{ name = "quantilise", q = 0.4 }'),
    (("best_of", 3), '{ name = "best_of", m = 3 }'),
    (("minimise",), '"minimise"'),
    (("uniform",), '"uniform"'),
]


def follow_rule(mdp, rule, rewards, gamma):
    if rule[0] == "minimise":
        values = -optimal(mdp, -rewards, gamma)[0] * (1 - gamma)
    elif rule[0] == "soft":
        soft = numpy.zeros(mdp.n)
        for _ in range(5_000):
            values = (1 - gamma) * rewards + gamma * soft
            each = [next_values(mdp, s, values) for s in range(mdp.n)]
            soft = numpy.array([numpy.log(numpy.exp(rule[1] * w).sum()) / rule[1] for w in each])
    else:
        values = optimal(mdp, rewards, gamma)[0] * (1 - gamma)
    return [rule_choice(rule, next_values(mdp, s, values)) for s in range(mdp.n)]


class Judge:
    def __init__(self, binary):
        self.binary, self.compared, self.wrong = binary, 0, []

    def run(self, mdp, labels, goals, discount, rest):
        with tempfile.TemporaryDirectory() as home:
            home = pathlib.Path(home)
            (home / "mdp.json").write_text(json.dumps(mdp.document(labels)))
            numpy.save(home / "goals.npy", goals)
            (home / "experiment.toml").write_text(
                'schema = 1\n[mdp]\npath = "mdp.json"\n[[reward]]\ndistribution = "table"\ngoals = "goals.npy"\n'
                f'[solve]\ndiscount = {discount}\ntolerance = 1e-9\nbackend = "cpu"\n[sample]\ncount = {len(goals)}\n{rest}'
            )
            command = [self.binary, "run", home / "experiment.toml", "--out", home / "out", "--quiet"]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode not in (0, 1):
                sys.exit(f"{done.stderr}\nexit code {done.returncode}")
            return json.loads((home / "out" / "results.json").read_text())["cells"]

    def compare(self, what, estimate, truth, undecided=0.0):
        """Goals that the program says it cannot decide need to be in the bracket only."""
        self.compared += 1
        far = numpy.inf if undecided else FAR
        if estimate is None:
            self.wrong.append(f"{what}: nothing, and it is {truth}")
        elif not estimate["low"] - 1e-9 <= truth <= estimate["high"] + 1e-9 or abs(estimate["estimate"] - truth) > far:
            self.wrong.append(f"{what}: {estimate['estimate']} ({estimate['low']} .. {estimate['high']}), and it is {truth}")

    def compare_cell(self, case, cell, truths):
        """Every number of a cell of which the truth is known: a list over goals, of which the mean is taken."""
        mean = lambda key: float(numpy.mean(truths[key]))
        for row in cell["power"]:
            self.compare(f"{case}: POWER of {row['state']}", row, mean(("power", row["state"])))
        for row in cell.get("optimality") or []:
            # A label's row has no action.
            for measure in ("weak", "strict", "fractional") if row["action"] else ():
                key = (measure, row["state"], row["action"])
                self.compare(f"{case}: {key}", row[measure], mean(key), row["undecided"])
        for row in cell.get("choices") or []:
            if row["action"]:
                key = ("choice", row["state"], row["action"])
                self.compare(f"{case}: {key}", row["probability"], mean(key))
        for row in cell.get("events") or []:
            key = (row["label"], row["ties"])
            for at, measure in enumerate(("ever", "discounted", "within")):
                if row[measure] is not None and (*key, at) in truths:
                    self.compare(f"{case}: {measure} {key}", row[measure], mean((*key, at)), row["undecided"])
            # The bracket of a time says nothing of undecided goals.
            if (*key, 3) in truths and mean((*key, 0)) > 0 and row["time"] is not None and not row["undecided"]:
                self.compare(f"{case}: time {key}", row["time"], mean((*key, 3)) / mean((*key, 0)))
        for row in cell.get("occupancy") or []:
            if row["state"]:
                self.compare(f"{case}: visits of {row['state']}", row["visits"], mean(("visits", row["state"])), row["undecided"])


def add(truths, key, number):
    truths.setdefault(key, []).append(float(number))


def acted(truths, mdp, labels, policy, rewards, gamma, steps):
    """What an agent that follows a policy shows of one goal."""
    values = value(mdp, policy, rewards, gamma)
    visits = numpy.linalg.solve((numpy.eye(mdp.n) - gamma * mdp.moves(policy)).T, mdp.begin())
    for s in range(mdp.n):
        add(truths, ("power", f"s{s}"), (1 - gamma) / gamma * (values[s] - rewards[s]))
        add(truths, ("visits", f"s{s}"), visits[s])
        for a, p in enumerate(policy[s]):
            add(truths, ("choice", f"s{s}", f"a{a}"), p)
    for label, (states, choices) in targets(labels).items():
        for at, x in enumerate(event(mdp, policy, states, choices, gamma, steps)):
            add(truths, (label, "even", at), x)


def targets(labels):
    return {"there": (set(labels["there"]), set()), "done": (set(), set(labels["done"]))}


def standings(truths, sets):
    for s, of_state in enumerate(sets):
        for a, is_optimal in enumerate(of_state):
            add(truths, ("weak", f"s{s}", f"a{a}"), is_optimal)
            add(truths, ("strict", f"s{s}", f"a{a}"), is_optimal and of_state.sum() == 1)
            add(truths, ("fractional", f"s{s}", f"a{a}"), is_optimal / of_state.sum())


def judge_case(judge, rng, number):
    mdp = random_mdp(rng, number % 2 == 0)
    choices = [(s, a) for s in range(mdp.n) for a in range(len(mdp.rows[s]))]
    labels = {
        "there": sorted({int(s) for s in rng.integers(0, mdp.n, size=2)}),
        "done": [choices[int(rng.integers(len(choices)))]],
    }
    asked = (0.5, 0.75, 0.9)[number % 3]
    gamma, steps = float(numpy.float32(asked)), int(rng.integers(0, 4))
    # Every third time rewards of zero and one, which tie; else fractions that single precision holds.
    goals = (rng.integers(0, 2, (16, mdp.n)) if number % 3 == 0 else rng.integers(0, 1024, (16, mdp.n)) / 1024).astype(float)
    states = ", ".join(f'"s{s}"' for s in range(mdp.n))
    each = [f'{{ label = "{label}", within = {steps}, ties = "{ties}" }}' for label in labels for ties in ("even", "towards", "away")]
    events = "events = [" + ", ".join(each) + "]\n"
    plain = f'events = ["there", {{ label = "done", within = {steps} }}]\noccupancy = true\nchoices = ["s0"]\n'
    plain = plain.replace('"there"', f'{{ label = "there", within = {steps} }}')

    # Optimal agents.
    truths = {}
    for rewards in goals:
        sets = optimal(mdp, rewards, gamma)[1]
        standings(truths, sets)
        acted(truths, mdp, labels, evenly(sets), rewards, gamma, steps)
        for label, (there, done) in targets(labels).items():
            for ties, best in (("towards", max), ("away", min)):
                for at, x in enumerate(event_at_best(mdp, sets, there, done, gamma, steps, best)):
                    add(truths, (label, ties, at), x)
    cell = judge.run(mdp, labels, goals, asked, f"[statistics]\noptimality = [{states}]\noccupancy = true\n{events}")[0]
    judge.compare_cell(f"{number}, optimal", cell, truths)

    # The same of the goals that meet a condition.
    which = [g for g, rewards in enumerate(goals) if optimal(mdp, rewards, gamma)[1][0][0]]
    if which:
        inside = {key: [list_[g] for g in which] for key, list_ in truths.items()}
        condition = '[condition]\noptimal = { state = "s0", action = "a0" }\n'
        cell = judge.run(mdp, labels, goals, asked, f"[statistics]\n{events}{condition}")[0]
        judge.compare_cell(f"{number}, given a0 in s0", cell, inside)
        judge.compare(f"{number}: accepted", cell["condition"][0]["accepted"], len(which) / len(goals))

    # Decision rules, and a policy from outside.
    policy = [rng.dirichlet(numpy.ones(len(rows))) for rows in mdp.rows]
    written = [", ".join(f"a{a} = {float(p)!r}" for a, p in enumerate(row)) for row in policy]
    written = ", ".join(f"s{s} = {{ {row} }}" for s, row in enumerate(written))
    agents = "[agent]\nrule = [" + ", ".join(text for _, text in RULES) + "]\n"
    agents += f'policy = {{ name = "given", choices = {{ {written} }} }}\n'
    cells = judge.run(mdp, labels, goals, asked, f"{agents}[statistics]\n{plain}")
    for cell, rule in zip(cells, [rule for rule, _ in RULES] + [None], strict=True):
        truths = {}
        for rewards in goals:
            taken = policy if rule is None else follow_rule(mdp, rule, rewards, gamma)
            acted(truths, mdp, labels, taken, rewards, gamma, steps)
        # A random agent's time is not told.
        truths = {key: x for key, x in truths.items() if key[1:] != ("even", 3)}
        judge.compare_cell(f"{number}, {cell['rule']}", cell, truths)

    # Limits of the discount.
    for limit, near in (("->1", 1 - Fraction(1, 10**14)), ("->0", Fraction(1, 10**14))):
        truths = {}
        for rewards in goals:
            values, sets = optimal_exactly(mdp, rewards, near)
            standings(truths, sets)
            for s in range(mdp.n):
                power = float((1 - near) * values[s]) if limit == "->1" else next_values(mdp, s, rewards).max()
                add(truths, ("power", f"s{s}"), power)
            for label, (there, done) in targets(labels).items():
                found = event(mdp, evenly(sets), there, done, 0.5, steps)
                for at in (0, 2, 3):
                    add(truths, (label, "even", at), found[at])
        asked_events = f'events = [{{ label = "there", within = {steps} }}, {{ label = "done", within = {steps} }}]\n'
        cell = judge.run(mdp, labels, goals, f'"{limit}"', f"[statistics]\noptimality = [{states}]\n{asked_events}")[0]
        judge.compare_cell(f"{number}, {limit}", cell, truths)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("binary")
    parser.add_argument("--cases", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--spoil", action="store_true", help="the control: ties that are none, which must be noticed")
    arguments = parser.parse_args()
    if arguments.spoil:
        global TIE
        TIE = 0.05
    judge, rng = Judge(arguments.binary), numpy.random.default_rng(arguments.seed)
    for number in range(arguments.cases):
        judge_case(judge, rng, number)
    for line in judge.wrong[:20]:
        print(line)
    print(f"{judge.compared} numbers, {len(judge.wrong)} of them wrong")
    sys.exit(1 if judge.wrong else 0)


if __name__ == "__main__":
    main()
