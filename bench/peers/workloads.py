#!/usr/bin/python3
"""Seeded float32 points as .npy files, and the first k rows as the start that every library can be given.

usage: workloads.py [NAME ...] [--scale N]

Rows are drawn block by block from one generator, so a scaled workload is the first rows of the whole one. Files are made again when
this source or NumPy's version changes.
"""
import argparse
import gzip
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "artifacts" / "peers" / "data"
FASHION = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")
SEED = 20261123
BLOCK = 10_000


@dataclass(frozen=True)
class Workload:
    """k clusters of rows × dimensions points of one kind."""

    name: str
    kind: str
    rows: int
    dimensions: int
    clusters: int


WORKLOADS = {w.name: w for w in [
    Workload("blobs-16", "blobs", 1_000_000, 16, 64),
    Workload("uniform-16", "uniform", 1_000_000, 16, 64),
    Workload("blobs-2", "blobs", 2_000_000, 2, 50),
    Workload("blobs-128", "blobs", 200_000, 128, 1000),
    Workload("uniform-128", "uniform", 200_000, 128, 1000),
    Workload("embeddings-768", "embeddings", 100_000, 768, 316),
    Workload("fashion-mnist-100", "fashion-mnist", 60_000, 784, 100),
    Workload("fashion-mnist-1000", "fashion-mnist", 60_000, 784, 1000),
]}


class Missing(Exception):
    """A workload or library that cannot be had here; the message says why."""


def find(name):
    """The workload of that name; unknown names list the known ones."""
    if name not in WORKLOADS:
        raise ValueError(f"there is no workload '{name}'. Known: {', '.join(WORKLOADS)}")
    return WORKLOADS[name]


def prepare(workload, scale=1):
    """The paths of points and initial centroids, and the points' SHA-256; makes the files where they are missing or stale."""
    import numpy as np

    rows = workload.rows // scale
    if rows < workload.clusters:
        raise ValueError(f"--scale {scale} leaves {rows} rows for the {workload.clusters} clusters of {workload.name}")
    stem = f"{workload.kind}-{rows}x{workload.dimensions}"
    points, init, note = FOLDER / f"{stem}.npy", FOLDER / f"{stem}-first-{workload.clusters}.npy", FOLDER / f"{stem}.json"
    # The same points serve several k.
    origin = {"kind": workload.kind, "rows": rows, "dimensions": workload.dimensions, "seed": SEED, "numpy": np.__version__,
              "source": hashlib.sha256(Path(__file__).read_bytes()).hexdigest()}
    known = json.loads(note.read_text()) if note.exists() and points.exists() else {}
    if {k: v for k, v in known.items() if k != "sha256"} != origin:
        FOLDER.mkdir(parents=True, exist_ok=True)
        note.unlink(missing_ok=True)
        x = np.lib.format.open_memmap(points, mode="w+", dtype=np.float32, shape=(rows, workload.dimensions))
        digest = hashlib.sha256()
        start = 0
        for block in KINDS[workload.kind](workload.dimensions):
            block = block[:rows - start]
            x[start:start + len(block)] = block
            digest.update(x[start:start + len(block)])
            start += len(block)
            if start == rows:
                break
        x.flush()
        if start < rows:
            raise ValueError(f"{workload.kind} has {start} rows, not {rows}")
        # Last, so that points that were cut short are made again.
        known = origin | {"sha256": digest.hexdigest()}
        note.write_text(json.dumps(known))
    np.save(init, np.load(points, mmap_mode="r")[:workload.clusters])
    return points, init, known["sha256"]


def blobs(dimensions):
    """200 centres, uniform in [-10, 10) in every coordinate; normal noise of variance 1."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    centres = rng.uniform(-10, 10, (200, dimensions)).astype(np.float32)
    while True:
        yield centres[rng.integers(len(centres), size=BLOCK)] + rng.standard_normal((BLOCK, dimensions), dtype=np.float32)


def uniform(dimensions):
    """Uniform in [0, 1): no structure at all, the worst case for bounds."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    while True:
        yield rng.random((BLOCK, dimensions), dtype=np.float32)


def embeddings(dimensions):
    """What text encoders give, roughly: unit vectors near a subspace of 32 dimensions, in 500 topics of uneven size.

    A topic's centre is normal in 32 dimensions, its rows have normal noise of half that size around it; a random orthonormal map takes
    them to d dimensions, where normal noise of 0.05 in every coordinate is added; then rows are scaled to length 1. Topic t is
    drawn with probability proportional to 1/sqrt(t + 1).
    """
    import numpy as np

    intrinsic, topics = 32, 500
    rng = np.random.default_rng(SEED)
    centres = rng.standard_normal((topics, intrinsic))
    subspace = np.linalg.qr(rng.standard_normal((dimensions, intrinsic)))[0].T
    share = 1 / np.sqrt(np.arange(1, topics + 1))
    share /= share.sum()
    while True:
        inside = centres[rng.choice(topics, size=BLOCK, p=share)] + 0.5 * rng.standard_normal((BLOCK, intrinsic))
        x = inside @ subspace + 0.05 * rng.standard_normal((BLOCK, dimensions))
        yield (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def fashion_mnist(dimensions):
    """The 60,000 training images of Fashion-MNIST, pixels 0 to 255, from Debian's package."""
    import numpy as np

    if not FASHION.exists():
        raise Missing(f"{FASHION} is not there: Debian's package dataset-fashion-mnist is not installed")
    with gzip.open(FASHION) as f:
        pixels = np.frombuffer(f.read(), np.uint8, offset=16)
    yield pixels.reshape(-1, dimensions).astype(np.float32)


KINDS = {"blobs": blobs, "uniform": uniform, "embeddings": embeddings, "fashion-mnist": fashion_mnist}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all where none is given: {', '.join(WORKLOADS)}")
    parser.add_argument("--scale", type=int, default=1, metavar="N", help="divide the rows by N")
    arguments = parser.parse_args()
    for name in arguments.names or WORKLOADS:
        points, init, sha256 = prepare(find(name), arguments.scale)
        print(f"{name}: {os.path.relpath(points)}, {os.path.relpath(init)}, sha256 {sha256[:16]}…")


if __name__ == "__main__":
    main()
