#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over every C file below src/ that a build compiles: tools/run-tidy.sh BUILD JOBS
# The checks are in .clang-tidy; any finding is an error.
set -eu
cd "$(dirname "$0")/.."
git ls-files 'src/*.c' | while read -r f; do
    grep -q "/$f\"" "$1/compile_commands.json" || grep -q "\"\.\./\.\./$f\"" "$1/compile_commands.json" || continue
    echo "$f"
done | xargs -P "$2" -n 4 clang-tidy -p "$1" --quiet --warnings-as-errors='*'
