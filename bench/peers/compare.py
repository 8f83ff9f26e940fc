#!/usr/bin/python3
"""Times this engine against scikit-learn and faiss: same points, same start, same number of iterations.

usage: compare.py [WORKLOAD ...] [options]      see --help and docs/performance.md

Libraries take turns (A B C, A B C, …), each fit in a process of its own, and only the fit call is timed. Every library's centroids are
judged by one function here. Libraries other than ours run in the Python that runs this script.
"""
import argparse
import datetime
import hashlib
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from peer import LIBRARIES
from workloads import WORKLOADS, Missing, find, prepare

# Processors that others may use beside a fit; an idle machine's own upkeep is about half of this.
QUIET = 0.2
ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "artifacts" / "peers"
OURS = "kmeansfast"
KNOWN = [OURS, *LIBRARIES]
# faiss always runs every iteration it is given: it has no convergence to be timed to.
CONVERGING = [OURS, "sklearn-lloyd", "sklearn-elkan"]


def main():
    arguments = parse()
    libraries = arguments.libraries or (CONVERGING if arguments.to_convergence else [OURS, "sklearn-lloyd", "faiss"])
    workloads = [find(name) for name in arguments.workloads or WORKLOADS]
    require(libraries, KNOWN, "library")
    if arguments.to_convergence:
        require(libraries, CONVERGING, "library that stops at convergence")
    iterations = arguments.iterations or (300 if arguments.to_convergence else 20)
    if importlib.util.find_spec("numpy") is None:
        raise ValueError(f"{sys.executable} has no NumPy. Run bench/peers/install.sh, then this script with /usr/bin/python3, or use a Python that has one.")
    environment, environment_notes = child_environment(arguments.threads)
    tool = build()
    report = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="minutes"),
        "cpu": cpu(), "threads": arguments.threads, "scale": arguments.scale, "rounds": arguments.rounds,
        "mode": "to convergence" if arguments.to_convergence else "fixed iterations", "iteration_limit": iterations,
        "environment": environment_notes, "versions": {OURS: our_version(tool)}, "missing": {}, "workloads": [],
    }
    libraries = [name for name in libraries if name == OURS or available(name, environment, report)]
    for workload in workloads:
        try:
            points, init, sha256 = prepare(workload, arguments.scale)
        except Missing as e:
            report["missing"][workload.name] = str(e)
            continue
        runs = {name: [] for name in libraries}
        for number in range(1, arguments.rounds + 1):
            for name in list(runs):
                say(f"{workload.name}, round {number} of {arguments.rounds}: {name}")
                out = ARTIFACTS / "runs" / f"{workload.name}-{name}-{number}"
                try:
                    runs[name].append(one_fit(name, tool, points, init, out, iterations, arguments.threads, environment))
                except RuntimeError as e:
                    # A library that fails, for want of memory say, leaves this workload to the others. Ours must not fail.
                    if name == OURS:
                        raise
                    report["missing"][f"{name} on {workload.name}"] = str(e).splitlines()[-1]
                    del runs[name]
        say(f"{workload.name}: inertia")
        judge(points, runs)
        report["workloads"].append({
            "name": workload.name, "rows": workload.rows // arguments.scale, "dimensions": workload.dimensions, "clusters": workload.clusters,
            "sha256": sha256, "libraries": {name: summary(of_one, runs.get(OURS)) for name, of_one in runs.items()},
        })
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    print(markdown(report))
    say(f"written: {os.path.relpath(arguments.json)}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"all where none is given: {', '.join(WORKLOADS)}")
    parser.add_argument("--libraries", type=lambda text: text.split(","), metavar="LIST", help=f"separated by commas, of {', '.join(KNOWN)}")
    parser.add_argument("--rounds", type=positive, default=3, metavar="N", help="fits of each library; the median counts (default 3)")
    parser.add_argument("--iterations", type=positive, metavar="N", help="iterations of a fit (default 20; with --to-convergence the limit, 300)")
    parser.add_argument("--scale", type=positive, default=1, metavar="N", help="divide the rows by N, for quick tries")
    parser.add_argument("--threads", type=positive, default=os.cpu_count(), metavar="N", help="default: one for each processor")
    parser.add_argument("--to-convergence", action="store_true", help="until no label changes; faiss has no such rule and is left out")
    parser.add_argument("--json", type=Path, default=ARTIFACTS / f"{datetime.datetime.now():%Y%m%d-%H%M%S}.json", metavar="FILE", help="every single run")
    return parser.parse_args()


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


def require(names, known, what):
    for name in names:
        if name not in known:
            raise ValueError(f"there is no {what} '{name}'. Known: {', '.join(known)}")


def say(text):
    print(text, file=sys.stderr, flush=True)


def child_environment(threads):
    """The environment of every fit, and what of it to report."""
    set_here = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    # GNU OpenMP's threads spin at barriers, against OpenBLAS's own threads and any other process. On blobs-16, scale 10, two cores, idle:
    # sleeping made faiss 2 to 3 times as fast and scikit-learn a tenth slower (8 ms iterations). Beside two busy threads, scale 50: 17 and 6 times as fast.
    set_here["OMP_WAIT_POLICY"] = os.environ.get("OMP_WAIT_POLICY", "PASSIVE")
    # OpenBLAS 0.3.21, Debian 12's, takes newer AVX-512 processors (Zen 5) for a Haswell and runs at half their speed.
    if "avx512f" in processor("flags").split():
        set_here["OPENBLAS_CORETYPE"] = os.environ.get("OPENBLAS_CORETYPE", "SkylakeX")
    return os.environ | set_here | {"DOTNET_CLI_TELEMETRY_OPTOUT": "1", "DOTNET_NOLOGO": "1"}, set_here


def build():
    project = ROOT / "src" / "Engine.Cli"
    say("building the kmeans tool")
    subprocess.run(["dotnet", "build", "-c", "Release", "-v", "q", project], check=True, stdout=sys.stderr)
    return output(["dotnet", "msbuild", project, "-p:Configuration=Release", "-getProperty:TargetPath"])


def our_version(tool):
    # Outside a clone there is no commit to name.
    git = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return f"{output(['dotnet', tool, '--version'])} ({git.stdout.strip() or 'no git'})"


def available(name, environment, report):
    found = child(name, [], environment)
    if "missing" in found:
        report["missing"][name] = found["missing"]
        say(f"{name} is missing: {found['missing']}")
        return False
    report["versions"][name] = f"{found['version']}, NumPy {found['numpy']}, {', '.join(found['blas']) or 'BLAS unknown'}"
    return True


def one_fit(name, tool, points, init, out, iterations, threads, environment):
    """Seconds, iterations and centroids of one fit, and how much other processes disturbed it."""
    out.mkdir(parents=True, exist_ok=True)
    start, before = time.perf_counter(), busy_seconds()
    if name == OURS:
        answer = json.loads(output([
            "dotnet", tool, "fit", points, "--init", init, "--max-iter", str(iterations), "--tol", "0",
            "--backend", "cpu", "--threads", str(threads), "--out", out, "--json"], environment))
        run = {"seconds": answer["seconds"]["fit"], "load": answer["seconds"]["load"], "iterations": answer["iterations"],
               "detail": answer["seconds"], "algorithm": answer["algorithm"], "resolved_rows": answer["resolved_rows"], "own_inertia": answer["inertia"]}
    else:
        run = child(name, [points, init, out / "centroids.npy", str(iterations)], environment) | {"load": 0.0}
    total, children = (after - earlier for after, earlier in zip(busy_seconds(), before))
    run["others_processors"] = round(max(0.0, total - children) / (time.perf_counter() - start), 2)
    run["seconds_per_iteration"] = (run["seconds"] - run["load"]) / run["iterations"]
    run["centroids"] = str(out / "centroids.npy")
    return run


def child(name, arguments, environment):
    return json.loads(output([sys.executable, Path(__file__).with_name("peer.py"), name, *arguments], environment))


def output(command, environment=None):
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if ended.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {ended.returncode}:\n{ended.stderr}")
    return ended.stdout.strip()


def busy_seconds():
    """Processor seconds that the system, and that our children, have used so far."""
    times = os.times()
    try:
        fields = [int(text) for text in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    except FileNotFoundError:
        return 0.0, 0.0
    user, nice, system, _, _, irq, softirq, steal = fields[:8]
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK"), times.children_user + times.children_system


def judge(points, runs):
    """Adds the inertia of each run's centroids; equal centroids are judged once."""
    import numpy as np

    x = np.load(points, mmap_mode="r")
    known = {}
    for run in (run for all_runs in runs.values() for run in all_runs):
        path = run.pop("centroids")
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        if digest not in known:
            known[digest] = inertia(x, np.load(path))
        run["inertia"], run["centroids_sha256"] = known[digest], digest
        if "own_inertia" in run and abs(run["inertia"] - run["own_inertia"]) > 1e-9 * run["own_inertia"]:
            raise RuntimeError(f"{path}: inertia {run['own_inertia']} by the tool, {run['inertia']} by float64 NumPy")


def inertia(x, centroids):
    """Squared distances of all rows to their nearest centroids, added in float64; the nearest is found in float64 too."""
    import numpy as np

    c = centroids.astype(np.float64)
    half = (c * c).sum(axis=1) / 2
    total = 0.0
    rows = max(1, 2**24 // max(len(c), c.shape[1]))
    for start in range(0, len(x), rows):
        block = x[start:start + rows].astype(np.float64)
        nearest = (half - block @ c.T).argmin(axis=1)
        block -= c[nearest]
        total += float(np.square(block).sum())
    return total


def summary(runs, ours):
    """Medians of a library's runs, and their ratios to ours."""
    result = {"runs": runs}
    for key in ("seconds_per_iteration", "seconds"):
        values = [run[key] for run in runs]
        result[key] = {"median": statistics.median(values), "least": min(values), "greatest": max(values)}
        if ours:
            result[key]["ratio_to_ours"] = result[key]["median"] / statistics.median([run[key] for run in ours])
    return result


def markdown(report):
    lines = [
        "| workload | library | iterations | seconds per iteration (least–greatest) | × ours | fit call, s (× ours) | final inertia |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    disturbed = {}
    for workload in report["workloads"]:
        title = f"{workload['name']}: {workload['rows']:,} × {workload['dimensions']}, k {workload['clusters']}"
        for name, result in workload["libraries"].items():
            each, call, runs = result["seconds_per_iteration"], result["seconds"], result["runs"]
            disturbed[workload["name"]] = max([disturbed.get(workload["name"], 0), *(run["others_processors"] for run in runs)])
            counts = sorted({run["iterations"] for run in runs})
            lines.append(
                f"| {title} | {name} | {'–'.join(map(str, sorted({counts[0], counts[-1]})))} "
                f"| {each['median']:.4g} ({each['least']:.4g}–{each['greatest']:.4g}) | {ratio(each)} | {call['median']:.3f} ({ratio(call)}) "
                f"| {statistics.median_low(run['inertia'] for run in runs):.10g} |")
            title = ""
    limit = f"at most {report['iteration_limit']} iterations" if report["mode"] == "to convergence" else f"{report['iteration_limit']} iterations"
    notes = [
        f"{report['date'][:10]}, {report['cpu']}, {report['threads']} threads; {limit}, tolerance 0, from the first k rows; median of {report['rounds']}, libraries in turn"
        + (f"; **rows divided by {report['scale']}**" if report["scale"] > 1 else ""),
        "; ".join(f"{name} {version}" for name, version in report["versions"].items()),
        "environment " + ", ".join(f"{name}={value}" for name, value in report["environment"].items()),
        f"other processes used at most {max(disturbed.values(), default=0):.2f} processors beside a fit"
        + (f"; **disturbed: {', '.join(loud)}**" if (loud := [name for name, used in disturbed.items() if used > QUIET]) else ""),
        *(f"{name} is missing: {why}" for name, why in report["missing"].items()),
    ]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)])


def ratio(times):
    return f"{times['ratio_to_ours']:.2f}" if "ratio_to_ours" in times else "–"


def processor(field):
    """A field of the first processor in /proc/cpuinfo; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    for line in path.read_text().splitlines() if path.exists() else []:
        name, _, value = line.partition(":")
        if name.strip() == field:
            return value.strip()
    return ""


def cpu():
    name = processor("model name")
    return f"{name} (family {processor('cpu family')} model {processor('model')})" if name else platform.processor() or platform.machine()


if __name__ == "__main__":
    try:
        main()
    except (ValueError, RuntimeError) as e:
        sys.exit(f"compare.py: {e}")
