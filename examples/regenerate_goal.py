"""Regenerates one goal and its optimal values from docs/random-numbers.md alone. Needs NumPy, and nothing of powersweep.

Usage: python3 examples/regenerate_goal.py MDP.json SEED INDEX DISCOUNT [LOW HIGH]
Prints one line per state: reward, optimal value, name.
"""
import json, math, sys
import numpy as np

seed, index, gamma = int(sys.argv[2]), int(sys.argv[3]), float(np.float32(sys.argv[4]))
low, high = map(float, sys.argv[5:7] or (0, 1))
mdp, mask = json.load(open(sys.argv[1])), 2**32 - 1
states = mdp["states"]

def word(coordinate, stream=0):  # Philox4x32-10
    c, k = [index & mask, index >> 32, coordinate // 4, stream], [seed & mask, seed >> 32]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k[0], p1 & mask, p0 >> 32 ^ c[3] ^ k[1], p0 & mask]
        k = [k[0] + 0x9E3779B9 & mask, k[1] + 0xBB67AE85 & mask]
    return c[coordinate % 4]

k = math.ceil(math.log2(max(abs(low), abs(high)))) - 24  # the lattice law
first, end = (int(x / 2.0**k + math.copysign(0.5, x)) for x in (low, high))
R = np.array([(first + (word(j) * (end - first) >> 32)) * 2.0**k for j in range(len(states))])

def row(to):  # successors of one choice; "to": "s1" is short for {"s1": 1}
    to = {to: 1.0} if isinstance(to, str) else to
    return np.array([to.get(s, 0.0) for s in states])

T = [np.array([row(choice["to"]) for choice in mdp["transitions"][s]]) for s in states]
V, old = np.full(len(R), R.min() / (1 - gamma)), None
while old is None or np.max(np.abs(V - old)) > 1e-12 * np.max(np.abs(V)):  # policy iteration
    P, old = np.array([rows[np.argmax(rows @ V)] for rows in T]), V
    V = np.linalg.solve(np.eye(len(R)) - gamma * P, R)
for reward, value, name in zip(R.tolist(), V.tolist(), states):
    print(reward, value, name)
