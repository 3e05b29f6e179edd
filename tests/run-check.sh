#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What `make check` runs: style, both compilers, sanitizers, a few minutes of fuzzing, simulations and labs.
# At most some 15 minutes on 2 cores. Everything it makes lies in build-check/. A failed step does not stop
# the others. HEDDLE_FUZZ_SECONDS changes how long it fuzzes, several targets side by side (150).
set -u
# Its verdict follows from the change alone; fresh seeds are in check-long.sh (doc/decisions/0029).
export HD_SEED=${HD_SEED:-20261124}
. "$(dirname "$0")/step.bash"

step format 60 'style: clang-format' tools/check-style.sh format
step spdx 60 'style: licence lines' tools/check-style.sh spdx
step words 60 'style: words and paths that do not belong here' tools/check-style.sh words
step size 60 'style: size of files, essays' tools/check-style.sh size
step layers 60 'layers: includes, no floating point' tools/check-layers.py

gcc=
if build gcc 900 'gcc: build' gcc; then
    gcc=built
    step objects 60 'layers: what pure objects call and keep' tools/check-layers.py "$OUT/gcc"
    tests unit 400 'gcc: unit, model and corpus tests' "$OUT/gcc" 'unit model fuzz' \
        --timeout-multiplier 4
fi
# One build of clang's for warnings, sanitizers and fuzzing: gcc's sanitizers change its own warnings about
# conversions. (clang without any is in check-long.sh.)
sanitized=
if build sanitized 900 'clang, address and undefined sanitizers, libFuzzer: build' clang \
    -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false; then
    # Each finding ends the program; leaks count.
    export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
    export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
    # Threads have a sanitizer of their own in check-long.sh.
    export HD_ROUNDS=1
    tests sanitized 900 'sanitizers: unit, model, corpus tests and simulations' "$OUT/sanitized" \
        'unit model fuzz sim-few' --timeout-multiplier 4
    unset ASAN_OPTIONS UBSAN_OPTIONS HD_ROUNDS
    sanitized=built
fi
if [ -n "$gcc" ]; then
    tests sim 900 'simulated scenarios' "$OUT/gcc" sim --timeout-multiplier 3
else
    fail 'simulated scenarios, labs: nothing was built to run them'
fi
# On two processors five minutes of fuzzing altogether, in what labs that mostly wait leave over.
fuzz_seconds=${HEDDLE_FUZZ_SECONDS:-150}
fuzz_text="fuzzing: $fuzz_seconds s"
fuzz=(tests/run-fuzz.sh "$OUT/sanitized" "$fuzz_seconds" "$OUT/crashes")
if [ "$(id -u)" != 0 ]; then
    skip 'labs in network namespaces: need root'
    [ -z "$sanitized" ] || step fuzz $((fuzz_seconds + 120)) "$fuzz_text" "${fuzz[@]}"
else
    [ -z "$gcc" ] || tests netns 900 'labs in network namespaces' "$OUT/gcc" netns --num-processes 3 --timeout-multiplier 2
    [ -z "$sanitized" ] || beside fuzz $((fuzz_seconds + 120)) "${fuzz[@]}"
    [ -z "$gcc" ] || tests netns-alone 900 'labs that measure, one at a time' "$OUT/gcc" netns-alone --timeout-multiplier 2
    [ -z "$sanitized" ] || beside_ends "$fuzz_text"
fi
finish
