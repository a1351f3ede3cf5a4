#!/usr/bin/env bash
# Builds bench/native/*_bench.cc optimised, in build-bench/, and runs them one after the other.
#
#   scripts/native-bench.sh            all
#   scripts/native-bench.sh checksum   those whose file name contains the text
set -euo pipefail
cd "$(dirname "$0")/.."

filter="${1:-}"
shopt -s nullglob
files=(bench/native/*"$filter"*_bench.cc)
if [ ${#files[@]} -eq 0 ]; then
  exit 0
fi
generator=()
if command -v ninja >/dev/null; then generator=(-G Ninja); fi
cmake -S . -B build-bench ${generator[@]+"${generator[@]}"} -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE='-O3' \
  -DPGDATA_BENCH=ON -DPGDATA_TESTS=OFF >build-bench.log || { cat build-bench.log; exit 1; }
mv build-bench.log build-bench/configure.log
names=()
for file in "${files[@]}"; do names+=("$(basename "$file" .cc)"); done
cmake --build build-bench -j "${JOBS:-2}" --target "${names[@]}"
for name in "${names[@]}"; do
  echo "== $name"
  "build-bench/$name"
done
