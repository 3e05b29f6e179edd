#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What `make check-long` runs: the tools that take long or whose findings need a reader. Hours. Everything it
# makes lies in build-check/. HEDDLE_FUZZ_SECONDS changes the time of all fuzzing together (3600), HEDDLE_SOAK_MINUTES
# that of the soak (30). Single parts can be named:
#     tests/check-long.sh [clang] [seeds] [tsan] [valgrind] [labs] [tidy] [cppcheck] [analyzer] [sanitized] [fuzz]
#                         [soak] [bench]
# Each line of the result is also added, with date, commit and load, to build-check/check-long.md, from which the
# table in doc/results is made.
set -u
. "$(dirname "$0")/step.bash"

ALL=(clang seeds tsan valgrind labs tidy cppcheck analyzer sanitized fuzz soak bench)
PARTS=("${ALL[@]}")
for part in "$@"; do
    [[ " ${PARTS[*]} " == *" $part "* ]] || { echo "check-long: no part '$part'; parts are: ${PARTS[*]}" >&2; exit 2; }
done
[ $# -eq 0 ] || PARTS=("$@")
wanted() {
    [[ " ${PARTS[*]} " == *" $1 "* ]]
}
SAID=$OUT/check-long.md

part_clang() {
    build clang 900 'clang: build' clang || return
    tests clang 900 'clang: unit, model tests and simulations' "$OUT/clang" 'unit model sim' --timeout-multiplier 4
}

# run-check.sh has the same seeds each time (doc/decisions/0029); here each round has its own.
part_seeds() {
    build gcc 900 'gcc: build' gcc || return
    tests seeds 3600 'ten rounds of fresh seeds: unit, model tests and simulations' "$OUT/gcc" 'unit model sim-few' \
        --repeat 10 --timeout-multiplier 4
}

part_tsan() {
    build tsan 900 'thread sanitizer: build' clang -Db_sanitize=thread -Db_lundef=false || return
    # Threads are in the simulator and in the daemon's keeper; the rest must not mind.
    TSAN_OPTIONS=halt_on_error=1 tests tsan 3600 'thread sanitizer: unit, model tests and simulations' "$OUT/tsan" \
        'unit model sim' --timeout-multiplier 15
}

part_valgrind() {
    build gcc 900 'gcc: build' gcc || return
    tests valgrind 3600 'valgrind: unit and model tests' "$OUT/gcc" 'unit model' --timeout-multiplier 40 \
        --wrap "valgrind --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite --quiet --suppressions=$ROOT/tests/valgrind.supp"
}

part_labs() {
    [ "$(id -u)" = 0 ] || { skip 'labs: the long ones: need root'; return; }
    build gcc 900 'gcc: build' gcc || return
    tests netns-long 3600 'labs: the long ones' "$OUT/gcc" netns-long --num-processes 1 --timeout-multiplier 2
}

part_tidy() {
    build tidy 900 'clang: build for clang-tidy' clang || return
    step tidy 3600 'clang-tidy: no finding' tools/run-tidy.sh "$OUT/tidy" "$JOBS"
}

part_cppcheck() {
    step cppcheck 1800 'cppcheck: no finding' tools/run-cppcheck.sh "$JOBS"
}

part_analyzer() {
    # Leaks are valgrind's and the leak sanitizer's: gcc 12 loses sight of memory that a struct owns.
    build analyzer 3600 'gcc -fanalyzer: no finding' gcc \
        -Dc_args='-fanalyzer -Wno-analyzer-malloc-leak' -Dtests=false
}

part_sanitized() {
    build fuzz 900 'address and undefined sanitizers: build' clang \
        -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false || return
    ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 \
        UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
        tests sanitized-sim 3600 'sanitizers: all simulations' "$OUT/fuzz" sim --timeout-multiplier 15
}

part_fuzz() {
    local seconds=${HEDDLE_FUZZ_SECONDS:-3600}
    HEDDLE_TARGETS=fuzz-targets build fuzz 900 'libFuzzer: build' clang \
        -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false || return
    step fuzz-long $((seconds + 300)) "fuzzing: $seconds s" tests/run-fuzz.sh "$OUT/fuzz" "$seconds" "$OUT/crashes"
}

# A lab that suffers: needs root and the better part of an hour.
part_soak() {
    local minutes=${HEDDLE_SOAK_MINUTES:-30}
    [ "$(id -u)" = 0 ] || { skip 'soak: needs root'; return; }
    build soak 900 'soak: build' gcc -Dtests=false || return
    step soak $((minutes * 60 + 1200)) "soak: $minutes minutes" tests/soak.py "$OUT/soak" --minutes "$minutes"
}

part_bench() {
    build bench 900 'release build for benchmarks' gcc --buildtype=release || return
    tests bench 3600 'benchmarks' "$OUT/bench" bench --benchmark --num-processes 1
}

for part in "${ALL[@]}"; do
    ! wanted "$part" || "part_$part"
done
finish
