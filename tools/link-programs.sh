#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Puts links to the programs into the build folder itself: tools/link-programs.sh BUILD PROGRAM...
# Meson leaves each below the folder of its sources. A program that the build does not make is an error.
set -eu
build=$1
shift
for program in "$@"; do
    found=$(find "$build" -mindepth 2 -type f -name "$program" -perm -u+x | head -n 1)
    if [ -z "$found" ]; then
        echo "$program: not built" >&2
        missing=1
        continue
    fi
    ln -sf "${found#"$build"/}" "$build/$program"
done
exit "${missing:-0}"
