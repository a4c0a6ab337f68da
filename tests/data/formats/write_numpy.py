#!/usr/bin/env python3
"""Writes the matrices of this folder with NumPy: python3 tests/data/formats/write_numpy.py

The numbers are 3 rows of 4 columns, 10 * row + column + 0.25, in every type and order that the reader knows.
"""

import pathlib

import numpy

FOLDER = pathlib.Path(__file__).resolve().parent


def main():
    rows, columns = numpy.indices((3, 4))
    numbers = 10 * rows + columns + 0.25
    names = numpy.array(["start", "zwölf", "a,b", "end"])
    numpy.savez(FOLDER / "goals.npz", goals=numbers, names=names, other=numbers[:2, :2])
    numpy.savez_compressed(FOLDER / "goals-deflated.npz", goals=numpy.asfortranarray(numbers), names=names.astype(">U7"))
    numpy.save(FOLDER / "goals.npy", numbers.astype(">f4"))
    whole = numbers.astype(int)
    types = {"i1": whole.astype("i1"), "u2": whole.astype(">u2"), "i4": whole.astype("<i4"), "u8": whole.astype("u8")}
    types |= {"bool": whole % 2 == 0, "f4": numbers.astype("<f4"), "f8": numpy.asfortranarray(numbers.astype(">f8"))}
    for name, array in types.items():
        numpy.savez(FOLDER / f"goals-{name}.npz", only=array, names=names, vector=numbers[0])
    numpy.savez(FOLDER / "objects.npz", goals=numpy.array([["a", None]], dtype=object))
    numpy.savetxt(FOLDER / "goals.csv", numbers, delimiter=",", header="start,zwölf,third,end", comments="", encoding="utf-8")
    numpy.savetxt(FOLDER / "goals-bare.csv", numbers, delimiter=",", header="written by numpy.savetxt")
    print(f"NumPy {numpy.__version__}")


if __name__ == "__main__":
    main()
