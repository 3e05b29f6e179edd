#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How KIRA grows: families of networks and real maps by sizes and seeds, as tables in doc/results/kira-scale.md.
# bench/scale.sh BUILD [FOLDER]. SIZES, SEEDS, JOBS, UNTIL_MS, FAMILIES, MAPS, COSTS (networks whose memory is told
# by category) and REPORT may be set. What is in FOLDER already (plots too) is not run again, so an interrupted
# run goes on.
set -eu
cd "$(dirname "$0")/.."
build=${1:?usage: bench/scale.sh BUILD [FOLDER]}
folder=${2:-/tmp/heddle-scale}
sim=$build/src/sim/heddle-sim
report=${REPORT:-doc/results/kira-scale.md}
SIZES=${SIZES:-100,1000} SEEDS=${SEEDS:-3} JOBS=${JOBS:-1} UNTIL_MS=${UNTIL_MS:-24000}
FAMILIES=${FAMILIES:-ba er nws grid torus rgg}
topologies=../shared/topologies
MAPS=${MAPS-$(ls $topologies/Geant2012.graphml $topologies/rf1755.graph 2>/dev/null || true)}
COSTS=${COSTS-ba:1000,2 er:1000,4 nws:1000,4,0.1}
options="--delay-us 1000 --until-ms $UNTIL_MS --seeds $SEEDS --jobs $JOBS"
mkdir -p "$folder"
failed=
# shellcheck disable=SC2086 # lists of words
"$sim" sweep $FAMILIES $options --sizes "$SIZES" --out "$folder/families" || failed=yes
# shellcheck disable=SC2086
[ -z "$MAPS" ] || "$sim" sweep $MAPS $options --out "$folder/maps" || failed=yes
for network in $COSTS; do # without checks: what the protocol and the engine cost
    [ -s "$folder/cost-$network" ] && continue
    "$build/tests/sim/kira-scale" "$network" --settle-s 20 --steady-s 10 --cut 100 > "$folder/cost.new" || failed=yes
    mv "$folder/cost.new" "$folder/cost-$network"
done
model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
{
    printf '# KIRA as it grows\n\n'
    printf 'Made by `make results` (`bench/scale.sh`); do not edit by hand. Machine: %s, %s; %s.\n\n' \
        "$model" "$(nproc) processors" "$(date '+%Y-%m-%d')"
    printf 'The routers are those of the daemon, object for object; links have a delay of 1 ms and lose nothing.\n'
    printf 'Each line is the mean over %s seeds (1 to %s). A run is repeated by:\n\n' "$SEEDS" "$SEEDS"
    printf '    heddle-sim run NETWORK --delay-us 1000 --faults --discover 1000 --seed SEED --until-ms %s\n\n' "$UNTIL_MS"
    printf 'In the middle of a run one link loses its carrier, later one node goes silent, then a tenth of\n'
    printf 'the links is cut at once, and near the end all comes back. "All pairs" and repair times are those of the\n'
    printf 'pairs looked at (all up to 64 nodes, else about 2000), as often as every 10 ms up to 200 nodes and every 20 ms above;\n'
    printf 'stretch is over 100,000 pairs at the end. "Known nodes": the source has a route to that very node;\n'
    printf '"first packet": prefixes lead there; "after use": pairs of the first packet, some time after a packet was sent.\n'
    printf '"process / node" is everything: routers, links, events, the checks. Wall times are of a machine with other work.\n\n'
    printf '## Families\n\n'
    cat "$folder/families/table.md"
    if [ -n "$MAPS" ]; then
        printf '## Real maps\n\n'
        cat "$folder/maps/table.md"
    fi
    [ -z "$COSTS" ] || printf '## Memory by category, messages by type, speed\n\n'
    for network in $COSTS; do
        printf '    kira-scale %s --settle-s 20 --steady-s 10 --cut 100\n\n' "$network"
        sed 's/^/    /' "$folder/cost-$network"
        printf '\n'
    done
} > "$report"
echo "$report; plots: $folder/families/index.html"
[ -z "$failed" ]
