#!/usr/bin/env python3
"""Derives the sample files beside this script from the copies that scikit-learn ships. Python's standard library only.

usage: make_samples.py FOLDER     FOLDER is sklearn/datasets/data of scikit-learn 1.2.1, for example after
                                  apt-get download python3-sklearn && dpkg -x python3-sklearn_*.deb unpacked
"""
import csv
import gzip
import hashlib
import os
import sys

SHA256 = {
    "iris.csv": "f13ffa8fdd56fd8e6c8d16d4081a3fbd3114bcd0aae4256c43205169cd9d1449",
    "digits.csv.gz": "46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a",
}
here = os.path.dirname(os.path.abspath(__file__))


def source(name):
    with open(os.path.join(sys.argv[1], name), "rb") as f:
        content = f.read()
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        sys.exit(f"{name} is not the file these samples were made of")
    if name.endswith(".gz"):
        content = gzip.decompress(content)
    return list(csv.reader(content.decode("ascii").splitlines()))


def write(name, header, rows):
    with open(os.path.join(here, name), "w", encoding="ascii", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows([header, *rows])


if len(sys.argv) != 2:
    sys.exit(__doc__)

# The first line holds counts and the names of the classes.
_, *iris = source("iris.csv")
write("iris.csv", ["sepal_length", "sepal_width", "petal_length", "petal_width"], [row[:4] for row in iris])
write("iris-labels.csv", ["species"], [row[4:] for row in iris])

digits = source("digits.csv.gz")
write("digits.csv", [f"p{i // 8}{i % 8}" for i in range(64)], [row[:64] for row in digits])
write("digits-labels.csv", ["digit"], [row[64:] for row in digits])
