#!/usr/bin/python3
"""Times this engine against scikit-learn and faiss: same points, same start, same number of iterations.

usage: compare.py [WORKLOAD ...] [options]      see --help and docs/performance.md

Libraries take turns (A B C, A B C, …). A turn is a process that fits once cold and then warm, and only the fit calls are timed. Every
library's centroids are judged by one function here. Libraries other than ours run in the Python that runs this script.
"""
import argparse
import datetime
import hashlib
import importlib.util
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from peer import LIBRARIES
from workloads import WORKLOADS, Missing, find, prepare

# Processors that others may use beside a fit; an idle machine's own upkeep is about half of this.
QUIET = 0.2
# A process may take this many times --seconds for reading, importing and a first fit of any length; then it is ended.
PATIENCE = 10
ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "artifacts" / "peers"
OURS = "kmeansfast"
# faiss always runs every iteration it is given: it has no convergence to be timed to.
CONVERGING = ["sklearn-lloyd", "sklearn-elkan"]
FIXED, CONVERGENCE = "fixed iterations", "to convergence"


def main():
    arguments = parse()
    mode = CONVERGENCE if arguments.to_convergence else FIXED
    report = merged(arguments.made) if arguments.made else None
    if arguments.write:
        between(arguments.write, report["mode"] if report else mode, None)
    if report is None:
        report = measure(arguments, mode)
        say(f"written: {os.path.relpath(arguments.json)}")
    table = markdown(report)
    print(table)
    if arguments.write:
        between(arguments.write, report["mode"], table)
        say(f"written: {os.path.relpath(arguments.write)}")
    if arguments.keep:
        kept = ROOT / "bench" / "results" / re.sub("[^a-z0-9]+", "-", report["cpu"].lower()).strip("-") / f"{report['mode'].replace(' ', '-')}.json"
        write_json(kept, report)
        say(f"written: {os.path.relpath(kept)}")


def merged(paths):
    """The reports of several runs as one; a workload that was run again replaces the earlier one. What was the same for all has to be so."""
    report, *others = (json.loads(path.read_text()) for path in paths)
    for path, other in zip(paths[1:], others):
        differ = [key for key in report if key not in ("date", "peak", "missing", "workloads") and report[key] != other[key]]
        if differ:
            raise ValueError(f"{path} and {paths[0]} differ in {', '.join(differ)}")
        again = [workload["name"] for workload in other["workloads"]]
        report["workloads"] = [w for w in report["workloads"] if w["name"] not in again] + other["workloads"]
        report["missing"] = {what: why for what, why in report["missing"].items() if what.split(" on ")[-1] not in again} | other["missing"]
        report["peak"] = max(report["peak"], other["peak"], key=lambda p: p["gflops_all_threads"])
        report["date"] = max(report["date"], other["date"])
    report["workloads"].sort(key=lambda workload: list(WORKLOADS).index(workload["name"]))
    return report


def measure(arguments, mode):
    """Runs everything; the report is written after every workload, so that what is done is not lost."""
    workloads = [find(name) for name in arguments.workloads or WORKLOADS]
    peers = CONVERGING if mode == CONVERGENCE else list(LIBRARIES)
    libraries = arguments.libraries or ([OURS, *CONVERGING] if mode == CONVERGENCE else [OURS, f"{OURS}:lloyd", "sklearn-lloyd", "faiss"])
    require([name for name in libraries if not ours(name)], [OURS, f"{OURS}:ALGORITHM", *peers], f"library to run {mode}")
    if importlib.util.find_spec("numpy") is None:
        raise ValueError(f"{sys.executable} has no NumPy. Run bench/peers/install.sh, then this script with /usr/bin/python3, or use a Python that has one.")
    environment, environment_notes = child_environment(arguments.threads)
    bench, version = build()
    catalog = output([*bench, "algorithms"]).split()
    require([name for name in libraries if ours(name)], [OURS, *(f"{OURS}:{algorithm}" for algorithm in catalog if algorithm != "auto")], "library")
    peak = measured_peak(bench, arguments.threads)
    iterations = arguments.iterations or (300 if mode == CONVERGENCE else 20)
    report = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="minutes"),
        "cpu": cpu(), "peak": peak, "threads": arguments.threads, "scale": arguments.scale, "rounds": arguments.rounds, "warm": arguments.warm,
        "seconds": arguments.seconds, "mode": mode, "iteration_limit": iterations, "environment": environment_notes,
        "versions": {OURS: f"{version}, {peak['runtime']}"}, "missing": {}, "workloads": [],
    }
    libraries = [name for name in libraries if ours(name) or available(name, environment, report)]
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
                out = ARTIFACTS / "runs" / f"{workload.name}-{name.replace(':', '-')}-{number}.npy"
                try:
                    runs[name].append(one_process(name, bench, [points, init, out, str(iterations)], arguments, environment))
                except RuntimeError as e:
                    # A library that fails, for want of memory say, leaves this workload to the others. Our own choice of algorithm must not fail.
                    if name == OURS:
                        raise
                    report["missing"][f"{name} on {workload.name}"] = str(e).splitlines()[-1]
                    del runs[name]
        say(f"{workload.name}: inertia")
        judge(points, runs)
        base = runs.get(OURS) or next((of_one for name, of_one in runs.items() if ours(name)), None)
        report["workloads"].append({
            "name": workload.name, "rows": workload.rows // arguments.scale, "dimensions": workload.dimensions, "clusters": workload.clusters,
            "sha256": sha256, "libraries": {name: summary(of_one, base) for name, of_one in runs.items()},
        })
        # Other work on the machine can only lower the peak: the greatest counts.
        report["peak"] = max(report["peak"], measured_peak(bench, arguments.threads), key=lambda p: p["gflops_all_threads"])
        write_json(arguments.json, report)
    return report


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"all where none is given: {', '.join(WORKLOADS)}")
    parser.add_argument("--libraries", type=lambda text: text.split(","), metavar="LIST",
                        help=f"separated by commas: {OURS} (it chooses its algorithm), {OURS}:ALGORITHM, {', '.join(LIBRARIES)}")
    parser.add_argument("--rounds", type=positive, default=3, metavar="N", help="processes of each library; the median counts (default 3)")
    parser.add_argument("--warm", type=positive, default=2, metavar="N", help="warm fits in each process, after the cold one (default 2)")
    parser.add_argument("--seconds", type=positive, default=60, metavar="S",
                        help=f"no further fit of a process begins that would end after S seconds of fits (default 60); it is ended after {PATIENCE} times as many")
    parser.add_argument("--iterations", type=positive, metavar="N", help="iterations of a fit (default 20; with --to-convergence the limit, 300)")
    parser.add_argument("--scale", type=positive, default=1, metavar="N", help="divide the rows by N, for quick tries")
    parser.add_argument("--threads", type=positive, default=os.cpu_count(), metavar="N", help="default: one for each processor")
    parser.add_argument("--to-convergence", action="store_true", help="until no label changes; faiss has no such rule and is left out")
    parser.add_argument("--json", type=Path, default=ARTIFACTS / f"{datetime.datetime.now():%Y%m%d-%H%M%S}.json", metavar="FILE", help="where every single fit is written")
    parser.add_argument("--from", type=Path, dest="made", action="append", metavar="FILE",
                        help="run nothing: take the JSON of an earlier comparison; of several, later workloads replace earlier ones")
    parser.add_argument("--write", type=Path, metavar="FILE", help="also put the table between the markers of its mode in a Markdown file")
    parser.add_argument("--keep", action="store_true", help="also write the JSON to bench/results, to be committed")
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


def ours(name):
    return name.partition(":")[0] == OURS


def say(text):
    print(text, file=sys.stderr, flush=True)


def write_json(path, report):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


def between(path, mode, table):
    """Puts a table between the markers of a mode in a file; without a table, looks whether they are there."""
    first, last = f"<!-- compare.py: {mode} -->", "<!-- end -->"
    text = path.read_text()
    before, found, after = text.partition(first)
    _, ended, rest = after.partition(last)
    if not found or not ended:
        raise ValueError(f"{path} has no place for the table: {first} and {last}")
    if table is not None:
        path.write_text(f"{before}{first}\n{table}\n{last}{rest}")


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
    """The command of bench/Engine.Bench, and the version of what it measures."""
    project = ROOT / "bench" / "Engine.Bench"
    say("building bench/Engine.Bench")
    subprocess.run(["dotnet", "build", "-c", "Release", "-v", "q", project], check=True, stdout=sys.stderr)
    properties = json.loads(output(["dotnet", "msbuild", project, "-p:Configuration=Release", "-getProperty:TargetPath", "-getProperty:Version"]))["Properties"]
    # The commit that last changed what is measured: writing results into the clone does not change it. Outside a clone there is none.
    measured = [ROOT / "src", project, ROOT / "bench" / "peers"]
    commit = git("log", "-1", "--format=%h", "--", *measured) + ("-dirty" if git("status", "--porcelain", "--", *measured) else "")
    return ["dotnet", properties["TargetPath"]], f"{properties['Version']} ({commit or 'no git'})"


def git(*command):
    return subprocess.run(["git", "-C", ROOT, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout.strip()


def measured_peak(bench, threads):
    return json.loads(output([*bench, "peak", "--threads", str(threads)]))


def available(name, environment, report):
    found = child(name, [], environment)
    if "missing" in found:
        report["missing"][name] = found["missing"]
        say(f"{name} is missing: {found['missing']}")
        return False
    report["versions"][name] = f"{found['version']}, NumPy {found['numpy']}, {', '.join(found['blas']) or 'BLAS unknown'}"
    return True


def one_process(name, bench, fit, arguments, environment):
    """The fits of one process, the first of them cold, and how much other processes disturbed them."""
    out = fit[2]
    out.parent.mkdir(parents=True, exist_ok=True)
    repeat, patience = 1 + arguments.warm, PATIENCE * arguments.seconds
    start, before = time.perf_counter(), busy_seconds()
    if ours(name):
        algorithm = name.partition(":")[2] or "auto"
        run = json.loads(output([*bench, "fit", *fit, "--algorithm", algorithm, "--threads", str(arguments.threads), "--repeat", str(repeat),
                                 "--seconds", str(arguments.seconds)], environment, patience))
    else:
        run = {"fits": child(name, [*fit, str(repeat), str(arguments.seconds)], environment, patience)["fits"]}
    total, children = (after - earlier for after, earlier in zip(busy_seconds(), before))
    run["others_processors"] = round(max(0.0, total - children) / (time.perf_counter() - start), 2)
    # Where the cold fit left no time for another, it is long enough for warming up not to matter: it counts as both.
    warm = run["fits"][1:] or run["fits"]
    run["cold_seconds"] = run["fits"][0]["seconds"]
    run["warm_seconds"] = statistics.median(f["seconds"] for f in warm)
    run["seconds_per_iteration"] = statistics.median((f["seconds"] - f.get("load", 0)) / f["iterations"] for f in warm)
    run["centroids"] = str(out)
    return run


def child(name, arguments, environment, patience=None):
    return json.loads(output([sys.executable, Path(__file__).with_name("peer.py"), name, *arguments], environment, patience))


def output(command, environment=None, patience=None):
    try:
        ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=patience)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"it was ended after {patience} seconds") from None
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
    """Adds the inertia of each run's centroids; equal centroids are judged once. Ours have to be equal, whatever the algorithm."""
    import numpy as np

    x = np.load(points, mmap_mode="r")
    known = {}
    first = None
    for name, run in ((name, run) for name, all_runs in runs.items() for run in all_runs):
        path = run.pop("centroids")
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        if digest not in known:
            known[digest] = inertia(x, np.load(path))
        run["inertia"], run["centroids_sha256"] = known[digest], digest
        if not ours(name):
            continue
        for fit in run["fits"]:
            if abs(run["inertia"] - fit["inertia"]) > 1e-9 * fit["inertia"]:
                raise RuntimeError(f"{path}: inertia {fit['inertia']} by {name}, {run['inertia']} by float64 NumPy")
            first = first or (name, digest, fit)
            if (digest, fit["iterations"], fit["inertia"]) != (first[1], first[2]["iterations"], first[2]["inertia"]):
                raise RuntimeError(f"{path}: {name} and {first[0]} ended differently")


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


def summary(runs, base):
    """Medians of a library's processes, and their ratios to ours."""
    result = {"runs": runs}
    for key in ("seconds_per_iteration", "warm_seconds", "cold_seconds"):
        values = [run[key] for run in runs]
        result[key] = {"median": statistics.median(values), "least": min(values), "greatest": max(values)}
        if base:
            result[key]["ratio_to_ours"] = result[key]["median"] / statistics.median([run[key] for run in base])
    return result


def markdown(report):
    lines = [
        "| workload | library | iterations | warm: seconds per iteration (least–greatest) | × ours | warm call, s (× ours) | cold call, s (× ours) | final inertia |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    disturbed, shares, single = {}, {}, False
    for workload in report["workloads"]:
        title = f"{workload['name']}: {workload['rows']:,} × {workload['dimensions']}, k {workload['clusters']}"
        for name, result in workload["libraries"].items():
            each, warm, cold, runs = result["seconds_per_iteration"], result["warm_seconds"], result["cold_seconds"], result["runs"]
            disturbed[workload["name"]] = max([disturbed.get(workload["name"], 0), *(run["others_processors"] for run in runs)])
            counts = sorted({fit["iterations"] for run in runs for fit in run["fits"]})
            chosen = sorted({fit["algorithm"] for run in runs for fit in run["fits"]}) if name == OURS else []
            label = f"{name} ({', '.join(chosen)})" if chosen else name
            star = "*" if any(len(run["fits"]) == 1 for run in runs) else ""
            single = single or bool(star)
            lines.append(
                f"| {title} | {label} | {'–'.join(map(str, sorted({counts[0], counts[-1]})))} "
                f"| {each['median']:.4g}{star} ({each['least']:.4g}–{each['greatest']:.4g}) | {ratio(each)} | {warm['median']:.3f}{star} ({ratio(warm)}) "
                f"| {cold['median']:.3f} ({ratio(cold)}) | {statistics.median_low(run['inertia'] for run in runs):.10g} |")
            title = ""
            if ours(name):
                gflops = 2e-9 * workload["rows"] * workload["dimensions"] * workload["clusters"] / each["median"]
                shares.setdefault(name, []).append(f"{workload['name']} {gflops:.0f} ({gflops / report['peak']['gflops_all_threads']:.0%})")
    peak = report["peak"]
    limit = f"at most {report['iteration_limit']} iterations" if report["mode"] == CONVERGENCE else f"{report['iteration_limit']} iterations"
    notes = [
        f"{report['date'][:10]}, {report['cpu']}, {report['threads']} threads; {limit}, tolerance 0, from the first k rows; median of {report['rounds']} processes, "
        f"libraries in turn, each one cold fit and {report['warm']} warm" + (f"; **rows divided by {report['scale']}**" if report["scale"] > 1 else ""),
        *([f"\\* the cold fit: a warm one would have passed {report['seconds']} seconds"] if single else []),
        "; ".join(f"{name} {version}" for name, version in report["versions"].items()),
        "environment " + ", ".join(f"{name}={value}" for name, value in report["environment"].items()),
        f"float32 FMA peak, measured: {peak['gflops_all_threads']:.0f} GFLOP/s on {peak['threads']} threads, {peak['gflops_one_thread']:.0f} on one ({peak['vector_bits']}-bit vectors)",
        *(f"{name}: 2nkd/t, whatever was skipped, in GFLOP/s (share of that peak): {', '.join(of_one)}" for name, of_one in shares.items()),
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
