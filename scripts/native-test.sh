#!/usr/bin/env bash
# Builds and runs native unit tests under sanitizers, in build-native*/ of this working tree.
#
#   scripts/native-test.sh                     all rooms, ASan and UBSan
#   scripts/native-test.sh page                one room
#   scripts/native-test.sh page heap           several rooms
#   scripts/native-test.sh --tsan buffer       under ThreadSanitizer
#   scripts/native-test.sh --plain page        optimised, without sanitizers
#   scripts/native-test.sh page -- --filter=free --seed=7    arguments after -- go to the tests
#
# CXX chooses the compiler (each has its own build directory), JOBS the parallelism.
set -euo pipefail
cd "$(dirname "$0")/.."

sanitize=address
suffix=''
rooms=()
while [ $# -gt 0 ]; do
  case "$1" in
    --tsan) sanitize=thread suffix='-tsan' ;;
    --plain) sanitize='' suffix='-plain' ;;
    --) shift; break ;;
    -*) echo "native-test: unknown option $1" >&2; exit 2 ;;
    *) rooms+=("$1") ;;
  esac
  shift
done

compiler="${CXX:-}"
build="build-native${suffix}${compiler:+-$(basename "$compiler")}"
jobs="${JOBS:-2}"

if [ ! -f "$build/CMakeCache.txt" ]; then
  generator=()
  if command -v ninja >/dev/null; then generator=(-G Ninja); fi
  build_type=$([ -n "$sanitize" ] && echo Debug || echo RelWithDebInfo)
  # -O1 keeps sanitized tests quick and their stacks readable.
  cmake -S . -B "$build" ${generator[@]+"${generator[@]}"} -DCMAKE_BUILD_TYPE="$build_type" \
    -DCMAKE_CXX_FLAGS_DEBUG='-O1 -g' -DPGDATA_SANITIZE="$sanitize" >"/tmp/pgdata-cmake.$$" ||
    { cat "/tmp/pgdata-cmake.$$"; rm -f "/tmp/pgdata-cmake.$$"; exit 1; }
  rm -f "/tmp/pgdata-cmake.$$"
fi

targets=()
for room in ${rooms[@]+"${rooms[@]}"}; do targets+=("${room}_test"); done
cmake --build "$build" -j "$jobs" --target "${targets[@]:-native_tests}"

export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:strict_string_checks=1:check_initialization_order=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
export TSAN_OPTIONS="${TSAN_OPTIONS:-second_deadlock_stack=1}"

programs=()
if [ ${#rooms[@]} -gt 0 ]; then
  for room in "${rooms[@]}"; do programs+=("$build/${room}_test"); done
else
  # In room order, so that the first failure is the deepest one; programs of removed tests are not run.
  while read -r room; do
    if compgen -G "native/$room/*_test.cc" >/dev/null; then programs+=("$build/${room}_test"); fi
  done < <(sed -n 's/^# \([a-z_]*\)$/\1/p' native/sources.txt)
fi

failed=()
for program in "${programs[@]}"; do
  echo "== $(basename "$program")"
  "$program" "$@" || failed+=("$(basename "$program")")
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "native-test: failed: ${failed[*]}" >&2
  exit 1
fi
echo "native-test: ${#programs[@]} programs passed"
