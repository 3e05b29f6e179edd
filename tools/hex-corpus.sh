#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a fuzz corpus from hex vectors: tools/hex-corpus.sh tests/vectors/kira tests/fuzz/corpus/kira_decode
# Existing files of other names (found crashes) stay.
set -eu

[ $# -eq 2 ] || { echo "usage: $0 VECTOR-FOLDER CORPUS-FOLDER" >&2; exit 2; }
mkdir -p "$2"
for hex in "$1"/*.hex; do
    sed '/^#/d' "$hex" | xxd -r -p > "$2/$(basename "$hex" .hex)"
done
