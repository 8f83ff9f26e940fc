#!/usr/bin/env bash
# Installs what the tests need, where it can, and passes them:  ./test.sh
#
# Needs the .NET 10 SDK. On Debian and Ubuntu, as root, PoCL is installed, so that the OpenCL backend runs for real; elsewhere, and without
# root, those tests say that they are skipped. The CPU suite runs once for every vector width.
set -euo pipefail
cd "$(dirname "$0")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
results=artifacts/test-results
rm -rf "$results" && mkdir -p "$results"

if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    if ! dpkg -s pocl-opencl-icd ocl-icd-libopencl1 >/dev/null 2>&1; then
        echo "Installing PoCL, an OpenCL for CPUs, for the tests of the OpenCL backend ..."
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends pocl-opencl-icd ocl-icd-libopencl1; } \
            >"$results/apt.log" 2>&1 || { tail -n 20 "$results/apt.log"; echo "PoCL could not be installed."; exit 1; }
    fi
    export KMEANSFAST_REQUIRE_OPENCL=1
else
    echo "Not root on a Debian system: PoCL is not installed, and OpenCL tests are skipped unless it is there already."
fi

dotnet build KMeansFast.sln -c Release -v q

passed=0 failed=0 skipped=0 broken=0
run() { # run NAME PROJECT [VARIABLE=VALUE ...]
    local name=$1 project=$2 log
    shift 2
    log="$results/$name.log"
    echo "== $name"
    local status=0
    env "$@" dotnet run --no-build -c Release --project "tests/$project" -- -noColor >"$log" 2>&1 || status=$?
    local summary
    summary=$(grep -E 'Total: [0-9]+' "$log" | tail -n 1 || true)
    local total errors fails skips
    total=$(sed -nE 's/.*Total: ([0-9]+).*/\1/p' <<<"$summary")
    errors=$(sed -nE 's/.*Errors: ([0-9]+).*/\1/p' <<<"$summary")
    fails=$(sed -nE 's/.*Failed: ([0-9]+).*/\1/p' <<<"$summary")
    skips=$(sed -nE 's/.*Skipped: ([0-9]+).*/\1/p' <<<"$summary")
    if [ -z "$total" ]; then
        broken=$((broken + 1))
        cat "$log"
        return
    fi
    fails=$((${fails:-0} + ${errors:-0}))
    passed=$((passed + total - fails - ${skips:-0}))
    failed=$((failed + fails))
    skipped=$((skipped + ${skips:-0}))
    if [ "$status" != 0 ] || [ "$fails" != 0 ]; then
        cat "$log"
        [ "$fails" != 0 ] || broken=$((broken + 1))
    else
        echo "   $summary"
        grep -E '\[SKIP\]' "$log" || true
    fi
}

run abstractions Engine.Abstractions.Tests
run abstractions-no-intrinsics Engine.Abstractions.Tests DOTNET_EnableHWIntrinsic=0
run io Engine.IO.Tests

# The CPU kernels at every width that this processor has. The suite asserts the width it was told to expect.
avx512=$(grep -qw avx512f /proc/cpuinfo 2>/dev/null && echo yes || echo no)
avx2=$(grep -qw avx2 /proc/cpuinfo 2>/dev/null && echo yes || echo no)
if [ "$avx512" = yes ]; then
    run cpu-vector512 Engine.Cpu.Tests KMEANSFAST_EXPECT_LANES=Vector512
    run cpu-vectorT-512 Engine.Cpu.Tests DOTNET_MaxVectorTBitWidth=512 KMEANSFAST_EXPECT_LANES=VectorT-512
fi
[ "$avx2" = yes ] && run cpu-vectorT-256 Engine.Cpu.Tests DOTNET_EnableAVX512=0 KMEANSFAST_EXPECT_LANES=VectorT-256
run cpu-vectorT-128 Engine.Cpu.Tests DOTNET_EnableAVX512=0 DOTNET_MaxVectorTBitWidth=128 KMEANSFAST_EXPECT_LANES=VectorT-128
run cpu-no-intrinsics Engine.Cpu.Tests DOTNET_EnableHWIntrinsic=0 KMEANSFAST_EXPECT_LANES=none

run gpu Engine.Gpu.Tests
run cli Engine.Cli.Tests

[ "$broken" = 0 ] || { echo "$broken test program(s) ended without a result."; failed=$((failed + broken)); }
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
