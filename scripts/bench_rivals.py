#!/usr/bin/env python3
"""Goals a second of value iteration as one would write it in JAX or PyTorch: all goals of a batch at once, on the framework's own device.

    python3 scripts/bench_rivals.py --framework jax --mdp w1.json --discount 0.9 --goals 65536 --seconds 5

Rewards are uniform on [0, 1), drawn by the framework. Sweeps V <- R + gamma max_a T V run until the middle of the interval that the last residual gives
(MacQueen, Porteus) is within 1e-5 of every goal's POWER, which is also what powersweep certifies, but for rounding: here there is no allowance for it. The first
state's value is taken off all values after every sweep, which changes no residual's width and keeps single precision's digits for what differs between states. MDPs are
trees in JSON, as `powersweep convert` writes them. One JSON object goes to stdout; exit code 3 where the framework is not there.
"""

import argparse
import json
import sys
import time

DENSE_FROM = 16  # successors a choice from which on whole rows are multiplied


def read(path):
    """Successors and probabilities, [states, choices, successors]; missing choices repeat the first one."""
    import numpy

    tree = json.load(open(path))
    number = {name: i for i, name in enumerate(tree["states"])}
    rows = []
    for name in tree["states"]:
        each = []
        for choice in tree["transitions"][name]:
            to = choice["to"]
            to = {to: 1.0} if isinstance(to, str) else to
            each.append([(number[t], p) for t, p in to.items()])
        rows.append(each)
    choices = max(len(each) for each in rows)
    successors = max(len(row) for each in rows for row in each)
    index = numpy.zeros((len(rows), choices, successors), dtype=numpy.int32)
    weight = numpy.zeros(index.shape, dtype=numpy.float32)
    for s, each in enumerate(rows):
        for c in range(choices):
            for k, (t, p) in enumerate(each[c if c < len(each) else 0]):
                index[s, c, k], weight[s, c, k] = t, p
    return index, weight


def dense(index, weight):
    """Transition probabilities, [states * choices, states]."""
    import numpy

    states, choices, _ = index.shape
    whole = numpy.zeros((states, choices, states), dtype=numpy.float32)
    s, c = numpy.meshgrid(range(states), range(choices), indexing="ij")
    for k in range(index.shape[2]):
        numpy.add.at(whole, (s, c, index[:, :, k]), weight[:, :, k])
    return whole.reshape(states * choices, states)


def with_jax(index, weight, gamma, goals, most, check_every, first):
    import jax
    import jax.numpy as jnp

    states, choices, successors = index.shape
    if successors >= DENSE_FROM:
        whole = jnp.asarray(dense(index, weight))
        expected = lambda v: (whole @ v).reshape(states, choices, -1)
    elif successors == 1:
        to = jnp.asarray(index[:, :, 0])
        expected = lambda v: v[to]
    else:
        to, p = jnp.asarray(index), jnp.asarray(weight)
        expected = lambda v: sum(p[:, :, k, None] * v[to[:, :, k]] for k in range(successors))

    def width(r):
        return jnp.max(jnp.max(r, axis=0) - jnp.min(r, axis=0)) / 2

    @jax.jit
    def solve(key):
        reward = jax.random.uniform(key, (states, goals), dtype=jnp.float32)

        def sweep(v, _):
            after = reward + gamma * jnp.max(expected(v), axis=1)
            return after - after[:1], None

        def body(carry):
            v, _, sweeps = carry
            v, _ = jax.lax.scan(sweep, v, None, length=check_every - 1)
            after, _ = sweep(v, None)
            return after, width(after - v), sweeps + check_every

        start = (first * (reward - reward[:1]), jnp.float32(1.0), 0)
        v, w, sweeps = jax.lax.while_loop(lambda c: (c[1] > 1e-5) & (c[2] < most), body, start)
        return jnp.sum(v, axis=1), w, sweeps

    keys = iter(jax.random.split(jax.random.PRNGKey(0), 4096))

    def run():
        total, w, sweeps = solve(next(keys))
        total.block_until_ready()
        return float(w), int(sweeps)

    return run, str(jax.devices()[0]), jax.__version__


def with_torch(index, weight, gamma, goals, most, check_every, first):
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    states, choices, successors = index.shape
    if successors >= DENSE_FROM:
        whole = torch.tensor(dense(index, weight), device=device)
        expected = lambda v: (whole @ v).view(states, choices, -1)
    else:
        to = torch.tensor(index, device=device).long()
        p = torch.tensor(weight, device=device)
        if successors == 1:
            expected = lambda v: v[to[:, :, 0]]
        else:
            expected = lambda v: sum(p[:, :, k, None] * v[to[:, :, k]] for k in range(successors))

    def run():
        reward = torch.rand((states, goals), device=device)
        v, w, sweeps = first * (reward - reward[:1]), 1.0, 0
        while w > 1e-5 and sweeps < most:
            for _ in range(check_every):
                before, v = v, reward + gamma * expected(v).amax(dim=1)
                v = v - v[:1]
            r = v - before
            w = float((r.amax(dim=0) - r.amin(dim=0)).max()) / 2
            sweeps += check_every
        v.sum(dim=1).cpu()
        return w, sweeps

    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    return run, name, torch.__version__


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--framework", choices=["jax", "torch"], required=True)
    parser.add_argument("--mdp", required=True)
    parser.add_argument("--discount", type=float, required=True)
    parser.add_argument("--goals", type=int, default=65536)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--sweeps", type=int, default=20_000, help="most sweeps of a batch")
    parser.add_argument("--check-every", type=int, default=4, help="sweeps from one residual to the next")
    parser.add_argument("--start", choices=["stay", "zero"], default="stay", help="values at first: a state's reward for ever, or once")
    arguments = parser.parse_args()
    first = 1 / (1 - arguments.discount) if arguments.start == "stay" else 1.0
    make = {"jax": with_jax, "torch": with_torch}[arguments.framework]
    try:
        index, weight = read(arguments.mdp)
        how = (arguments.goals, arguments.sweeps, arguments.check_every, first)
        run, device, version = make(index, weight, arguments.discount, *how)
    except ImportError as error:
        print(error, file=sys.stderr)
        raise SystemExit(3)
    width, sweeps = run()  # compiles
    started, batches = time.monotonic(), 0
    while batches == 0 or time.monotonic() - started < arguments.seconds:
        width, sweeps = run()
        batches += 1
    seconds = time.monotonic() - started
    print(
        json.dumps(
            {
                "framework": arguments.framework,
                "version": version,
                "device": device,
                "goals": batches * arguments.goals,
                "seconds": seconds,
                "goals_per_second": batches * arguments.goals / seconds,
                "sweeps": sweeps,
                "half_width_reached": width,
            }
        )
    )


if __name__ == "__main__":
    main()
