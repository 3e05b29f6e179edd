#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs bench-micro and writes what it said as a table: bench/micro.sh BUILD [REPORT]
set -eu
cd "$(dirname "$0")/.."
build=${1:?usage: bench/micro.sh BUILD [REPORT]}
report=${2:-doc/results/micro.md}
mkdir -p "$(dirname "$report")"
load=$(cut -d' ' -f1 /proc/loadavg)
out=$("$build/bench/bench-micro" 100)
model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
{
    printf '# Hot operations\n\n'
    printf 'Made by `make bench` (`bench/micro.sh BUILD`, `bench/micro.c`); do not edit by hand.\n\n'
    printf 'Machine: %s, Linux %s; %s; load average at the start %s, at the end %s.\n\n' \
        "$model" "$(uname -r)" "$(date '+%Y-%m-%d %H:%M')" "$load" "$(cut -d' ' -f1 /proc/loadavg)"
    printf 'The floor is a copy of as many bytes in the same run. Median and range of 7 rounds of 100 ms.\n\n'
    printf '%s\n' "$out" | sed -n 's/^state: /State: /p'
    printf '\n| operation | ns | range | bytes | floor, ns | times the floor |\n|---|---|---|---|---|---|\n'
    printf '%s\n' "$out" | awk '/^operation=/ {
        for (i = 1; i <= NF; i++) { split($i, kv, "="); v[kv[1]] = kv[2] }
        printf "| %s | %s | %s-%s | %s | %s | %s |\n", v["operation"], v["ns"], v["min"], v["max"],
            v["bytes"], v["floor_ns"], v["times_floor"] }'
    printf '\n`router-input-find-node-rsp` has in it decoding, learning every entry, stitching and the urgent work that follows.\n'
} > "$report"
cat "$report"
