#!/usr/bin/env bash
# Puts everything that a machine with an NVIDIA GPU needs into one folder and one archive:  bench/gpu/publish.sh [FOLDER]
#
# Needs the .NET SDK, on Linux x64. There, nothing but the driver is needed: the folder holds .NET's runtime, the GPU tests and the bench.
# FOLDER is artifacts/gpu unless said otherwise; what it held is removed.
set -euo pipefail
cd "$(dirname "$0")/../.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
folder=${1:-artifacts/gpu}
[ "$(uname -sm)" = "Linux x86_64" ] || { echo "The runtime that goes along is this machine's, and it has to be Linux x64." >&2; exit 1; }

# A folder that is not ours is not removed.
if [ -e "$folder" ] && [ ! -e "$folder/run.sh" ]; then
    echo "$folder is there and is not a folder of this script." >&2
    exit 1
fi
rm -rf "$folder" "$folder.tar.gz"
mkdir -p "$folder"
# First, so that a folder left by a failure is known for ours.
cp bench/gpu/run.sh bench/gpu/peers.py "$folder/"

# Both programs are started by the runtime that lies beside them, once for both; so no package of another platform has to be restored.
dotnet publish tests/Engine.Gpu.Tests -c Release -v q --nologo -o "$folder/tests"
dotnet publish bench/Engine.Gpu.Bench -c Release -v q --nologo -o "$folder/bench"
find "$folder" \( -name '*.pdb' -o -name 'KMeansFast.*.xml' \) -delete

version=$(sed -nE '/"Microsoft.NETCore.App"/{n;s/.*"version": "([0-9.]+).*/\1/p}' "$folder/bench/KMeansFast.Gpu.Bench.runtimeconfig.json")
runtime=$(dotnet --list-runtimes | sed -nE "s/^Microsoft.NETCore.App (${version%%.*}\.[0-9.]+) \[(.*)\]$/\2\/\1/p" | sort -V | tail -n 1)
[ -d "$runtime" ] || { echo "There is no Microsoft.NETCore.App ${version%%.*} on this machine." >&2; exit 1; }
root=$(dirname "$(dirname "$(dirname "$runtime")")")
mkdir -p "$folder/dotnet/shared/Microsoft.NETCore.App" "$folder/dotnet/host/fxr"
cp "$root/dotnet" "$folder/dotnet/"
cp -r "$runtime" "$folder/dotnet/shared/Microsoft.NETCore.App/"
cp -r "$root/host/fxr/$(basename "$runtime")" "$folder/dotnet/host/fxr/"
cp "$root"/LICENSE.txt "$root"/ThirdPartyNotices.txt "$folder/dotnet/" 2>/dev/null || true

git rev-parse HEAD >"$folder/commit.txt" 2>/dev/null || echo "no commit" >"$folder/commit.txt"
git diff --quiet HEAD -- src tests bench 2>/dev/null || echo "with changes that are not committed" >>"$folder/commit.txt"

tar -C "$(dirname "$folder")" -czf "$folder.tar.gz" "$(basename "$folder")"
echo "$folder: $(du -sm "$folder" | cut -f1) MB; $folder.tar.gz: $(($(stat -c %s "$folder.tar.gz") / 1048576)) MB"
echo "There: tar -xzf $(basename "$folder").tar.gz && $(basename "$folder")/run.sh"
