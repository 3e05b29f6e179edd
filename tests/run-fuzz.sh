#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the fuzz targets of a libFuzzer build for so many seconds altogether:
#     tests/run-fuzz.sh BUILD SECONDS CRASH-FOLDER
# Several run side by side. A slot is at least 30 s, since libFuzzer learns nothing in less; when there
# are more targets than slots, the date chooses whose turn it is. What a run learns stays in the build
# folder, what it breaks goes to the crash folder, with the command that repeats it.
set -u
build=$1 budget=$2 crashes=$3
jobs=${JOBS:-$(nproc)}
cd "$(dirname "$0")/.." || exit 1

mapfile -t all < <(find "$build/tests/fuzz" -maxdepth 1 -type f -name 'fuzz-*' -perm -u+x | sort)
[ ${#all[@]} -gt 0 ] || { echo 'no fuzz targets in this build'; exit 1; }
slots=$((budget * jobs / 30))
[ $slots -gt 0 ] || slots=1
[ $slots -le ${#all[@]} ] || slots=${#all[@]}
seconds=$((budget * jobs / slots))
[ $seconds -le "$budget" ] || seconds=$budget
first=$((10#$(date +%j) * slots % ${#all[@]}))
echo "${#all[@]} targets, $slots run today for $seconds s each, $jobs at a time"
mkdir -p "$crashes"

fuzz_one() {
    local exe=$1 name log
    name=${exe##*/fuzz-}
    log=$build/fuzz-$name.log
    mkdir -p "$build/learned/$name"
    if "$exe" -max_total_time="$seconds" -max_len=8192 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$crashes/$name-" "$build/learned/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
        echo "$name: $(awk '/number_of_executed_units/ { print $2 }' "$log") inputs, nothing broke"
    else
        echo "$name: BROKEN"
        grep -E 'ERROR|SUMMARY|does not hold|Test unit written' "$log"
        tail -n 5 "$log"
        return 1
    fi
}

failed=0
for ((i = 0; i < slots; i++)); do
    fuzz_one "${all[(first + i) % ${#all[@]}]}" &
    if [ $(((i + 1) % jobs)) -eq 0 ] || [ $((i + 1)) -eq $slots ]; then
        for pid in $(jobs -p); do
            wait "$pid" || failed=1
        done
    fi
done
exit $failed
