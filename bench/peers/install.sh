#!/usr/bin/env bash
# Installs what compare.py compares with, from Debian's packages:  sudo bench/peers/install.sh
#
# libopenblas0-pthread is part of the comparison: without it NumPy, scikit-learn and faiss use Debian's unoptimised reference BLAS.
set -euo pipefail
packages=(python3-numpy python3-sklearn python3-threadpoolctl python3-faiss libopenblas0-pthread dataset-fashion-mnist)

if ! command -v apt-get >/dev/null; then
    echo "This is not a Debian system. Install NumPy, scikit-learn, threadpoolctl and faiss for some Python, and run compare.py with that one." >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "Not root. As root: apt-get install ${packages[*]}" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# One by one: what a release of Debian does not have must not keep the others away. compare.py says what is missing.
failed=()
for package in "${packages[@]}"; do
    apt-get install -y -qq --no-install-recommends "$package" || failed+=("$package")
done
[ ${#failed[@]} = 0 ] || { echo "Not installed: ${failed[*]}" >&2; exit 1; }
echo "Installed. Now: /usr/bin/python3 bench/peers/compare.py --scale 10"
