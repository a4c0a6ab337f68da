#!/usr/bin/env python3
"""Writes the MDPs of this folder with the tools that people have them in.

    python3 -m venv /tmp/formats && /tmp/formats/bin/pip install numpy scipy pymdptoolbox networkx pydot
    /tmp/formats/bin/python tests/data/formats/write_mdps.py

forest-*.npz   the forest management problem of pymdptoolbox (`mdptoolbox.example.forest`), P[a, s, s'], as a dense tensor, as a stack
               of SciPy matrices saved by `scipy.sparse.save_npz`, and as one matrix an action
rand.npz       `mdptoolbox.example.rand(5, 5)`: as many actions as states, so that the layout has to be said
graph-*.gv     graphs in POWERplay's form, written as it writes them (`networkx.drawing.nx_pydot.write_dot`)
"""

import pathlib

import mdptoolbox.example
import networkx
import numpy
import scipy.sparse

FOLDER = pathlib.Path(__file__).resolve().parent


def arrays():
    dense, rewards = mdptoolbox.example.forest(S=4, p=0.1)
    names = numpy.array(["young", "middle", "old", "oldest"])
    extra = {"state_names": names, "action_names": numpy.array(["wait", "cut"]), "start": 2}
    extra |= {"label/grown": names == "oldest", "choice_label/harvest": numpy.array([[False, True]] * 4), "name": "forest"}
    numpy.savez(FOLDER / "forest-dense.npz", P=dense, R=rewards, **extra)
    available = numpy.array([[True, False], [True, True], [True, True], [True, True]])
    fortran = numpy.asfortranarray(dense.transpose(1, 0, 2))
    numpy.savez_compressed(FOLDER / "forest-available.npz", T=fortran, available=available, start=[0.25, 0.75, 0, 0.0])
    sparse, _ = mdptoolbox.example.forest(S=4, p=0.1, is_sparse=True)
    scipy.sparse.save_npz(FOLDER / "forest-stacked.npz", scipy.sparse.csr_matrix(scipy.sparse.vstack(sparse)))
    parts = ("data", "indices", "indptr", "shape")
    each = {f"{name}/{part}": getattr(matrix.tocsr(), part) for name, matrix in zip(["wait", "cut"], sparse) for part in parts}
    numpy.savez(FOLDER / "forest-sparse.npz", **each, **{"label/old ones": numpy.array([2, 3])})
    numpy.random.seed(7)
    numpy.savez(FOLDER / "rand.npz", P=mdptoolbox.example.rand(5, 5)[0])
    scipy.sparse.save_npz(FOLDER / "columns.npz", scipy.sparse.csc_matrix(dense[0]))


def graphs():
    graph = networkx.DiGraph()
    rows = {"1": {"H": {"1": 1.0}, "R": {"2": 1.0}}, "2": {"L": {"1": 0.9, "2": 0.1}, "H": {"2": 0.5, "1": 0.5}}}
    for state, choices in rows.items():
        for action, to in choices.items():
            graph.add_edge(f"[{state}]", f"[{action}]__[{state}]")
            for successor, p in to.items():
                graph.add_edge(f"[{action}]__[{state}]", f"[{successor}]__[{action}]__[{state}]", weight=p)
    networkx.drawing.nx_pydot.write_dot(graph, FOLDER / "graph-stochastic.gv")
    plain = networkx.DiGraph([("★", "∅"), ("★", "ℓ_◁"), ("∅", "∅"), ("ℓ_◁", "★"), ("ℓ_◁", "∅")])
    networkx.drawing.nx_pydot.write_dot(plain, FOLDER / "graph-deterministic.gv")


if __name__ == "__main__":
    arrays()
    graphs()
