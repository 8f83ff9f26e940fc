#!/usr/bin/env python3
"""Times iterations of k-means by PyTorch, cuML and flash-kmeans on this machine's GPU: what bench/gpu/run.sh sets beside ours.

usage: peers.py --out FILE [--shapes NAME,NAME] [--small]

The points have the shapes and the distribution of bench/Engine.Gpu.Bench/Shape.cs (k centres uniform in [-1, 1), noise of variance 1, one row in ten uniform
in [-2, 2)), not its bits. Times are medians of CUDA events around single iterations; cuML and flash-kmeans, which have no single iteration to call, are timed as
fits: the difference of a long and a short fit, divided by the difference of their iterations. What is not installed is a line, not an error.
"""
import argparse
import datetime
import json
import statistics
import sys

SHAPES = [(1_000_000, 32, 64), (1_000_000, 128, 1000), (10_000_000, 96, 1024), (1_000_000, 768, 4096), (8_000_000, 128, 1024)]
SMALL = [(2000, 16, 8)]
WARM_UP = 5
ITERATIONS = 20
FEW, MANY, FITS = 5, 25, 5
CHUNK_BYTES = 1 << 30  # of the matrix of products, which need not all be there at once
SEED = 20261124


def name_of(shape):
    return "{}x{}k{}".format(*shape)


def generate(torch, shape, device):
    n, d, k = shape
    generator = torch.Generator(device=device).manual_seed(SEED)
    centres = torch.rand((k, d), generator=generator, device=device) * 2 - 1
    x = torch.empty((n, d), device=device)
    step = max(1, (1 << 28) // d)
    for start in range(0, n, step):
        m = min(step, n - start)
        owner = torch.randint(k, (m,), generator=generator, device=device)
        block = torch.randn((m, d), generator=generator, device=device)
        block += centres[owner]
        noise = torch.rand((m,), generator=generator, device=device) < 0.1
        block[noise] = torch.rand((int(noise.sum()), d), generator=generator, device=device) * 4 - 2
        x[start:start + m] = block
    return x


class Step:
    """One plain iteration: products by matmul in chunks, argmin of half the squared norm less the product, means by index_add_ in float32."""

    def __init__(self, torch, x, k, dtype):
        self.torch, self.x, self.k = torch, x, k
        self.cast = x if dtype == x.dtype else x.to(dtype)
        self.centroids = x[:k].clone()
        self.rows = max(1, CHUNK_BYTES // (k * self.cast.element_size()))
        self.labels = torch.empty(len(x), dtype=torch.int64, device=x.device)
        self.ones = torch.ones(len(x), device=x.device)

    def __call__(self):
        torch = self.torch
        half_norms = (self.centroids * self.centroids).sum(1).mul_(0.5).to(self.cast.dtype)
        columns = self.centroids.to(self.cast.dtype).t()
        for start in range(0, len(self.x), self.rows):
            block = self.cast[start:start + self.rows]
            scores = torch.addmm(half_norms, block, columns, alpha=-1)
            torch.argmin(scores, dim=1, out=self.labels[start:start + self.rows])
        sums = torch.zeros_like(self.centroids).index_add_(0, self.labels, self.x)
        counts = torch.zeros(self.k, device=self.x.device).index_add_(0, self.labels, self.ones)
        self.centroids = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], self.centroids)


def by_events(torch, step):
    for _ in range(WARM_UP):
        step()
    times = []
    for _ in range(ITERATIONS):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        step()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return times


def by_clock(step):
    import time

    step()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def result(shape, library, times, how, iterations=None):
    row = {"shape": name_of(shape), "library": library, "milliseconds": statistics.median(times), "least": min(times), "greatest": max(times),
           "iterations": iterations or len(times), "how": how}
    print(f"{row['shape']}, {library}: {row['milliseconds']:.3f} ms ({how})", flush=True)
    return row


def pytorch(torch, x, shape, report):
    is_cuda = x.device.type == "cuda"
    for how, dtype, tf32 in [("float32", torch.float32, False), ("TF32", torch.float32, True), ("float16", torch.float16, False)]:
        torch.backends.cuda.matmul.allow_tf32 = tf32
        try:
            step = Step(torch, x, shape[2], dtype)
            times = by_events(torch, step) if is_cuda else by_clock(step)
            report["results"].append(result(shape, "pytorch", times, how))
        except torch.cuda.OutOfMemoryError:
            skip(report, f"pytorch, {how}, {name_of(shape)}: the device has not enough memory")
        except RuntimeError as e:
            skip(report, f"pytorch, {how}, {name_of(shape)}: {e}")
        finally:
            step = None
    torch.backends.cuda.matmul.allow_tf32 = False
    if is_cuda:
        torch.cuda.empty_cache()


def by_fits(torch, fit):
    """Milliseconds of an iteration: fits of few and of many iterations in turn, whose preparations cancel out."""
    def timed(iterations):
        torch.cuda.synchronize()
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        done = fit(iterations)
        torch.cuda.synchronize()
        end.record()
        end.synchronize()
        return start.elapsed_time(end), done

    timed(FEW)
    times = []
    for _ in range(FITS):
        few, done_few = timed(FEW)
        many, done_many = timed(MANY)
        if done_many <= done_few:
            raise RuntimeError(f"both fits ended after {done_many} iterations")
        times.append((many - few) / (done_many - done_few))
    return times


def cuml(torch, x, shape, report):
    import cupy
    from cuml.cluster import KMeans

    points = cupy.from_dlpack(x)
    initial = cupy.ascontiguousarray(points[:shape[2]])

    def fit(iterations):
        model = KMeans(n_clusters=shape[2], init=initial, n_init=1, max_iter=iterations, tol=0)
        model.fit(points)
        return int(model.n_iter_)

    report["results"].append(result(shape, "cuml", by_fits(torch, fit), "as it chooses", FITS * (MANY - FEW)))


def flash_kmeans(torch, x, shape, report):
    from flash_kmeans import batch_kmeans_Euclid

    for how, dtype in [("float32 given", torch.float32), ("float16 given", torch.float16)]:
        points = x.to(dtype)[None]
        initial = points[:, :shape[2]].contiguous()

        def fit(iterations):
            batch_kmeans_Euclid(points, n_clusters=shape[2], init_centroids=initial, max_iters=iterations, tol=-1.0)
            return iterations

        report["results"].append(result(shape, "flash-kmeans", by_fits(torch, fit), how, FITS * (MANY - FEW)))


def skip(report, why):
    report["skipped"].append(why)
    print("Not measured: " + why, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--shapes", default="")
    parser.add_argument("--small", action="store_true", help="a tiny shape, on the CPU where there is no GPU: does it run?")
    arguments = parser.parse_args()
    report = {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%MZ"), "device": "", "versions": {"python": sys.version.split()[0]}, "results": [], "skipped": []}
    known = {name_of(s): s for s in (SMALL if arguments.small else SHAPES)}
    unknown = [s for s in arguments.shapes.split(",") if s and s not in known]
    if unknown:
        parser.error(f"there is no shape {unknown[0]}. Known: {', '.join(known)}")
    shapes = [known[s] for s in arguments.shapes.split(",") if s] or list(known.values())
    measure(arguments, shapes, report)
    with open(arguments.out, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)


def measure(arguments, shapes, report):
    try:
        import torch
    except ImportError as e:
        skip(report, f"pytorch, cuml and flash-kmeans: {e} (in {sys.executable}); points are made and times taken by PyTorch")
        return
    report["versions"]["torch"] = torch.__version__
    if not torch.cuda.is_available() and not arguments.small:
        skip(report, "pytorch, cuml and flash-kmeans: this PyTorch finds no CUDA device")
        return
    device = "cuda" if torch.cuda.is_available() else "cpu"
    report["device"] = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    others = [("cuml", "cuml", cuml), ("flash-kmeans", "flash_kmeans", flash_kmeans)]
    for library, module, _ in list(others):
        try:
            report["versions"][library] = str(getattr(__import__(module), "__version__", "unknown"))
        except Exception as e:  # a broken installation fails in any way
            skip(report, f"{library}: {e}")
            others = [o for o in others if o[0] != library]
    for shape in shapes:
        try:
            x = generate(torch, shape, device)
        except torch.cuda.OutOfMemoryError:
            skip(report, f"{name_of(shape)}: the device has not enough memory")
            continue
        pytorch(torch, x, shape, report)
        for library, _, call in others if device == "cuda" else []:
            try:
                call(torch, x, shape, report)
            except Exception as e:  # theirs may fail in any way, and the rest is still measured
                skip(report, f"{library}, {name_of(shape)}: {e}")
            torch.cuda.empty_cache()
        del x
        if device == "cuda":
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
