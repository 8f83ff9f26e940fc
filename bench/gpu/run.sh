#!/usr/bin/env bash
# On a machine with an NVIDIA GPU, from the folder that publish.sh made: proves the bits, then measures.
#
#   ./run.sh [RESULTS]      RESULTS is the folder for what comes out: ./results unless said otherwise
#
# DEVICE=1 takes another GPU than the first; PYTHON names the Python that has PyTorch or cuML. Ends with 0 only where every label was right.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
results=${1:-$here/results}
mkdir -p "$results"
# The runtime is the one in this folder, whatever the machine has.
export DOTNET_ROOT=$here/dotnet DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_gcServer=0
python=${PYTHON:-python3}

if [ ! -x "$here/dotnet/dotnet" ]; then
    echo "$here has no runtime: run bench/gpu/publish.sh first, and this script from the folder that it makes." >&2
    exit 2
fi
if ! "$here/dotnet/dotnet" "$here/bench/KMeansFast.Gpu.Bench.dll" devices --backend cuda; then
    echo "There is no NVIDIA GPU that can be used: nothing can be proven or measured on this machine." >&2
    exit 2
fi
{ nvidia-smi && nvidia-smi -q -d CLOCK,POWER,PERFORMANCE,ECC; } >"$results/nvidia-smi.txt" 2>&1 || echo "nvidia-smi could not be run: see $results/nvidia-smi.txt"
cp "$here/commit.txt" "$results/"

failed=0
prove() { # prove NAME [ARGUMENT ...]: tests, of which some must have run
    local name=$1 status=0 total
    shift
    echo "== $name"
    "$here/dotnet/dotnet" "$here/tests/KMeansFast.Gpu.Tests.dll" -noColor "$@" >"$results/$name.log" 2>&1 || status=$?
    total=$(sed -nE 's/.*Total: ([0-9]+).*/\1/p' "$results/$name.log" | tail -n 1)
    if [ "$status" != 0 ] || [ "${total:-0}" = 0 ]; then
        tail -n 60 "$results/$name.log"
        echo "FAILED: $name (status $status, ${total:-no} tests). Everything is in $results/$name.log."
        failed=1
    else
        grep -E 'Total: [0-9]+' "$results/$name.log" | tail -n 1
    fi
}
export KMEANSFAST_REQUIRE_CUDA=1
prove conformance -trait device=cuda -failSkips
prove backend -class KMeansFast.Gpu.Tests.GpuBackendTests

echo "== bench"
ours=$results/kmeansfast.json
rm -f "$ours"
"$here/dotnet/dotnet" "$here/bench/KMeansFast.Gpu.Bench.dll" measure --backend cuda --device "${DEVICE:-0}" --out "$ours" 2>&1 | tee "$results/bench.log" || failed=1

echo "== peers"
theirs=$results/peers.json
rm -f "$theirs"
if ! command -v "$python" >/dev/null; then
    echo "Peers are not measured: there is no $python."
else
    CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES:-${DEVICE:-0}} "$python" "$here/peers.py" --out "$theirs" 2>&1 | tee "$results/peers.log" || echo "Peers are not measured: $python failed."
fi

if [ -e "$ours" ]; then
    echo "== table"
    tables=("$ours")
    [ -e "$theirs" ] && tables+=("$theirs")
    "$here/dotnet/dotnet" "$here/bench/KMeansFast.Gpu.Bench.dll" table "${tables[@]}" | tee "$results/table.md"
fi
[ "$failed" = 0 ] && echo "Everything is in $results." || echo "FAILED. Everything is in $results." >&2
exit "$failed"
