#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Configures a build folder unless it is there, and builds: tests/build-in.sh FOLDER CC JOBS [meson args].
# HEDDLE_TARGETS in the environment names targets to build instead of all.
set -eu
folder=$1 cc=$2 jobs=$3
shift 3
# What sanitizers bring makes links slow with the system's linker.
case $cc in
*clang*) ! command -v ld.lld >/dev/null || export CC_LD=lld ;;
esac
[ -e "$folder/build.ninja" ] || CC=$cc meson setup "$@" "$folder"
# shellcheck disable=SC2086 # a list of targets
exec ninja -j "$jobs" -C "$folder" ${HEDDLE_TARGETS:-}
