#!/usr/bin/env python3
"""Writes the .npy fixtures beside this script with numpy (made with 1.24).

matrix-<type>-<little|big>-<c|f>.npy   5 x 3, element (i, j) = (7 * (3 * i + j)) % 11, minus 5 for signed types and floats,
                                       modulo 2 for bool
"""
import os
import numpy as np
from numpy.lib import format as npy

here = os.path.dirname(os.path.abspath(__file__))


def save(name, array, version=None):
    with open(os.path.join(here, name + ".npy"), "wb") as f:
        npy.write_array(f, array, version=version)


values = (7 * np.arange(15) % 11).reshape(5, 3)
for name in ["float16", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"]:
    kind = np.dtype(name)
    content = values % 2 if name == "bool" else values if kind.kind == "u" else values - 5
    for order in "CF":
        for endian, mark in [("little", "<"), ("big", ">")]:
            if kind.itemsize == 1 and endian == "big":
                continue
            save(f"matrix-{name}-{endian}-{order.lower()}", np.array(content, kind.newbyteorder(mark), order=order))

save("version-2", values.astype("<f4"), version=(2, 0))
save("version-3", values.astype("<f4"), version=(3, 0))
save("vector", np.arange(6, dtype="<f8") / 4)
cube = np.arange(24, dtype="<i2").reshape(2, 3, 4)
save("cube-c", cube)
save("cube-f", np.asfortranarray(cube))
save("scalar", np.array(3.5))
save("structured", np.zeros(2, dtype=[("x", "<f4"), ("y", "<f4")]))
save("complex", np.zeros((2, 2), dtype="<c8"))
save("text", np.array([["a", "b"]]))
save("empty", np.zeros((0, 4), dtype="<f4"))
# Rounded to float32 by numpy: the first column holds the value, the second (float64) what float32 makes of it.
wide = np.array([2**24 + 1, 2**53 - 1, 2**63 + 2**39 + 1, 2**64 - 1, 12345678901234567], dtype="<u8")
save("wide-uint64", wide)
save("wide-uint64-as-float32", wide.astype("<f4"))
deep = np.array([-(2**24) - 1, 2**62 + 2**38 + 1, -(2**62) - 2**38 - 1, 2**63 - 1, -(2**63)], dtype="<i8")
save("wide-int64", deep)
save("wide-int64-as-float32", deep.astype("<f4"))
# What NpyFile must write, byte for byte.
save("written-matrix", np.arange(12, dtype="<f4").reshape(3, 4) / 8)
save("written-int32", np.arange(5, dtype="<i4") - 2)
save("written-float64", np.arange(3, dtype="<f8") / 3)
save("written-float32", np.arange(1000, dtype="<f4"))
