#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What `make check-long` runs: the tools that take long or whose findings need a reader. Hours. Everything it
# makes lies in build-check/. HEDDLE_FUZZ_SECONDS changes the time of all fuzzing together (3600), HEDDLE_SOAK_MINUTES
# that of the soak (30).
set -u
. "$(dirname "$0")/step.bash"

if build tsan 900 'thread sanitizer: build' clang -Db_sanitize=thread -Db_lundef=false; then
    export TSAN_OPTIONS=halt_on_error=1
    # Threads are in the simulator and in the daemon's keeper; the rest must not mind.
    tests tsan 3600 'thread sanitizer: unit, model tests and simulations' "$OUT/tsan" 'unit model sim' \
        --timeout-multiplier 15
    unset TSAN_OPTIONS
fi

if build gcc 900 'gcc: build' gcc; then
    tests valgrind 3600 'valgrind: unit and model tests' "$OUT/gcc" 'unit model' --timeout-multiplier 40 \
        --wrap 'valgrind --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite --quiet'
    if [ "$(id -u)" = 0 ]; then
        tests netns-long 3600 'labs: the long ones' "$OUT/gcc" netns-long --num-processes 1
    else
        skip 'labs: the long ones: need root'
    fi
fi

if build tidy 900 'clang: build for clang-tidy' clang; then
    step tidy 3600 'clang-tidy' tools/run-tidy.sh "$OUT/tidy" "$JOBS"
fi
step cppcheck 1800 'cppcheck' tools/run-cppcheck.sh "$JOBS"
build analyzer 3600 'gcc -fanalyzer: no finding' gcc -Dc_args=-fanalyzer -Dtests=false

fuzz_seconds=${HEDDLE_FUZZ_SECONDS:-3600}
if HEDDLE_TARGETS=fuzz-targets build fuzz 900 'libFuzzer: build' clang \
    -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false; then
    step fuzz-long $((fuzz_seconds + 300)) "fuzzing: $fuzz_seconds s" \
        tests/run-fuzz.sh "$OUT/fuzz" "$fuzz_seconds" "$OUT/crashes"
fi

# A lab that suffers: needs root and the better part of an hour.
if [ "$(id -u)" -ne 0 ]; then
    skip 'soak: needs root'
elif build soak 900 'soak: build' gcc -Dtests=false; then
    step soak 3600 "soak: ${HEDDLE_SOAK_MINUTES:-30} minutes" tests/soak.py "$OUT/soak" \
        --minutes "${HEDDLE_SOAK_MINUTES:-30}"
fi

if build bench 900 'release build for benchmarks' gcc --buildtype=release; then
    tests bench 3600 'benchmarks' "$OUT/bench" bench --benchmark --num-processes 1
fi
finish
