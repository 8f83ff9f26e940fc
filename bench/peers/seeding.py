#!/usr/bin/python3
"""Times our seeding against scikit-learn's greedy k-means++ on the same float32 points, and compares what fits make of the centroids.

usage: seeding.py [WORKLOAD ...] [--rounds N] [--quality SEEDS] [--scale N] [--threads N]

Both take turns, each run in a process of its own; only the choice of centroids is timed. The second table is the final inertia of fits by the
kmeans tool, from the centroids of each of our initialisers and of scikit-learn, over seeds 0, 1, …; the number of rows, k and the limit of iterations are those of
the workload. Prints Markdown. See compare.py for the environment that is set.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from compare import ARTIFACTS, ROOT, child_environment, cpu, git, output, positive, say
from workloads import WORKLOADS, find, prepare

OURS = ["kmeans++", "kmeans++-plain", "kmeans||", "afk-mc2"]
PEER = "scikit-learn"
DEFAULT = ["blobs-16", "blobs-128"]


def main():
    if sys.argv[1:2] == ["--peer"]:
        return peer(*sys.argv[2:])
    arguments = parse()
    environment, notes = child_environment(arguments.threads)
    tool, version_of_tool = build()
    version = json.loads(output([sys.executable, __file__, "--peer"], environment))["version"]
    speed, quality = [], []
    for name in arguments.workloads or DEFAULT:
        workload = find(name)
        points, _, _ = prepare(workload, arguments.scale)
        title = f"{name}: {workload.rows // arguments.scale:,} × {workload.dimensions}, k {workload.clusters}"
        speed.append((title, times(title, tool, points, workload.clusters, arguments, environment)))
        if arguments.quality:
            quality.append((title, inertias(title, tool, points, workload.clusters, arguments, environment)))
    print(markdown(speed, quality, arguments))
    print("\n- " + "\n- ".join([
        f"{cpu()}, {arguments.threads} threads; {arguments.rounds} rounds in turn; fits of at most {arguments.iterations} iterations, {arguments.quality} seeds",
        f"kmeansfast {version_of_tool}; scikit-learn {version}",
        "environment " + ", ".join(f"{key}={value}" for key, value in notes.items()),
    ]))


def build():
    """The kmeans tool, and the version of what it measures."""
    project = ROOT / "src" / "Engine.Cli"
    say("building the kmeans tool")
    subprocess.run(["dotnet", "build", "-c", "Release", "-v", "q", project], check=True, stdout=sys.stderr)
    properties = json.loads(output(["dotnet", "msbuild", project, "-p:Configuration=Release", "-getProperty:TargetPath", "-getProperty:Version"]))["Properties"]
    changed = "-dirty" if git("status", "--porcelain", "--", ROOT / "src") else ""
    return properties["TargetPath"], f"{properties['Version']} ({git('log', '-1', '--format=%h', '--', ROOT / 'src')}{changed})"


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"{' and '.join(DEFAULT)} where none is given, of {', '.join(WORKLOADS)}")
    parser.add_argument("--rounds", type=positive, default=3, metavar="N", help="runs of each to be timed (default 3)")
    parser.add_argument("--quality", type=int, default=0, metavar="SEEDS", help="also fit from this many seeds (the documented table has 10; default 0: none)")
    parser.add_argument("--iterations", type=positive, default=100, metavar="N", help="the limit of those fits (default 100)")
    parser.add_argument("--scale", type=positive, default=1, metavar="N", help="divide the rows by N, for quick tries")
    parser.add_argument("--threads", type=positive, default=os.cpu_count(), metavar="N", help="default: one for each processor")
    return parser.parse_args()


def times(title, tool, points, clusters, arguments, environment):
    """Seconds of each method, in turn."""
    seconds = {name: [] for name in [PEER, *OURS]}
    for number in range(arguments.rounds):
        for name, runs in seconds.items():
            say(f"{title}, round {number + 1} of {arguments.rounds}: {name}")
            if name == PEER:
                runs.append(theirs(points, clusters, number, environment)["seconds"])
            else:
                # One iteration, because there is no fit without; it is not timed.
                runs.append(fit(tool, points, ["-k", clusters, "--init", name, "--seed", number, "--max-iter", 1], arguments, environment)["seconds"]["seed"])
    return seconds


def inertias(title, tool, points, clusters, arguments, environment):
    """The final inertia of a fit for each method and seed."""
    result = {name: [] for name in [PEER, *OURS]}
    limits = ["--max-iter", arguments.iterations, "--tol", "1e-4"]
    for seed in range(arguments.quality):
        say(f"{title}: fits of seed {seed}")
        start = ARTIFACTS / "seeding.npy"
        theirs(points, clusters, seed, environment, start)
        result[PEER].append(fit(tool, points, ["--init", start, *limits], arguments, environment)["inertia"])
        for name in OURS:
            result[name].append(fit(tool, points, ["-k", clusters, "--init", name, "--seed", seed, *limits], arguments, environment)["inertia"])
    return result


def fit(tool, points, options, arguments, environment):
    return json.loads(output(["dotnet", tool, "fit", points, *map(str, options), "--backend", "cpu", "--threads", str(arguments.threads), "--json"], environment))


def theirs(points, clusters, seed, environment, out=""):
    return json.loads(output([sys.executable, __file__, "--peer", points, str(clusters), str(seed), str(out)], environment))


def peer(points=None, clusters=None, seed=None, out=None):
    """The child process: scikit-learn's seeding."""
    import numpy as np
    import sklearn
    from sklearn.cluster import kmeans_plusplus

    result = {"version": f"{sklearn.__version__}, NumPy {np.__version__}"}
    if points:
        x = np.load(points)
        start = time.perf_counter()
        centroids, _ = kmeans_plusplus(x, int(clusters), random_state=int(seed))
        result["seconds"] = time.perf_counter() - start
        if out:
            Path(out).parent.mkdir(parents=True, exist_ok=True)
            np.save(out, centroids)
    print(json.dumps(result))


def markdown(speed, quality, arguments):
    lines = ["| workload | initialiser | seconds, median (least–greatest) | scikit-learn's median ÷ this | least ÷ least |", "|---|---|--:|--:|--:|"]
    for title, seconds in speed:
        base = seconds[PEER]
        for name, runs in seconds.items():
            lines.append(f"| {title} | {code(name)} | {statistics.median(runs):.3f} ({min(runs):.3f}–{max(runs):.3f}) "
                         f"| {statistics.median(base) / statistics.median(runs):.1f} | {min(base) / min(runs):.1f} |")
            title = ""
    if quality:
        lines += ["", f"| workload | initialiser | final inertia, mean of {arguments.quality} seeds (least–greatest) | mean ÷ scikit-learn's |", "|---|---|--:|--:|"]
    for title, result in quality:
        base = statistics.mean(result[PEER])
        for name, values in result.items():
            lines.append(f"| {title} | {code(name)} | {statistics.mean(values):.8g} ({min(values):.8g}–{max(values):.8g}) | {statistics.mean(values) / base:.5f} |")
            title = ""
    return "\n".join(lines)


def code(name):
    return "scikit-learn, greedy" if name == PEER else "`" + name.replace("|", "\\|") + "`"


if __name__ == "__main__":
    try:
        main()
    except (ValueError, RuntimeError) as e:
        sys.exit(f"seeding.py: {e}")
