"""Fits by one library in this process: compare.py's child. Prints one JSON object.

usage: peer.py LIBRARY                                             whether it can run here, and its version
       peer.py LIBRARY POINTS INIT OUT ITERATIONS REPEAT SECONDS   fits REPEAT times, times the fit calls alone, writes the last centroids to OUT

The first fit is cold, the others are warm. None begins that would, if it took as long as the last, end after SECONDS. Threads and the BLAS kernel come from the environment that compare.py sets.
"""
import json
import os
import sys
import time
import warnings


def sklearn_kmeans(algorithm):
    def fit(x, init, iterations):
        from sklearn.cluster import KMeans

        # It says that it stopped at the limit, which is what it was asked to do.
        warnings.filterwarnings("ignore")
        kmeans = KMeans(n_clusters=len(init), init=init, n_init=1, algorithm=algorithm, tol=0, max_iter=iterations)
        seconds = timed(lambda: kmeans.fit(x))
        return seconds, kmeans.n_iter_, kmeans.cluster_centers_

    return fit


def faiss_kmeans(x, init, iterations):
    import faiss

    n, d = x.shape
    k = len(init)
    # By default faiss trains on at most 256 rows for each centroid: here on all of them.
    kmeans = faiss.Kmeans(d, k, niter=iterations, seed=1, min_points_per_centroid=1, max_points_per_centroid=n // k + 1)
    seconds = timed(lambda: kmeans.train(x, init_centroids=init))
    return seconds, len(kmeans.obj), kmeans.centroids


LIBRARIES = {
    "sklearn-lloyd": ("sklearn", sklearn_kmeans("lloyd")),
    "sklearn-elkan": ("sklearn", sklearn_kmeans("elkan")),
    "faiss": ("faiss", faiss_kmeans),
}


def timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main(name, *fit):
    module, run = LIBRARIES[name]
    try:
        version = __import__(module).__version__
        import numpy as np
        import threadpoolctl
    except ImportError as e:
        print(json.dumps({"missing": f"{e} (in {sys.executable})"}))
        return
    if module == "sklearn":
        import sklearn.cluster  # noqa: F401  (loads its BLAS and OpenMP, outside the clock)
    pools = [p for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"]
    blas = sorted({f"{p['internal_api']} {p['version']} {p.get('architecture', '')}".strip() for p in pools})
    if not blas and os.path.exists("/proc/self/maps"):
        with open("/proc/self/maps", encoding="utf-8") as f:
            if "/blas/libblas.so" in f.read():
                print(json.dumps({"missing": "it would run on the unoptimised reference BLAS: install libopenblas0-pthread"}))
                return
    result = {"version": version, "numpy": np.__version__, "blas": blas}
    if fit:
        points, init, out, iterations, repeat, limit = fit
        x, start = np.load(points), np.load(init)
        fits = []
        while len(fits) < int(repeat) and (not fits or sum(f["seconds"] for f in fits) + fits[-1]["seconds"] <= float(limit)):
            seconds, done, centroids = run(x, start, int(iterations))
            fits.append({"seconds": seconds, "iterations": int(done)})
        np.save(out, np.asarray(centroids, dtype=np.float32))
        result["fits"] = fits
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
