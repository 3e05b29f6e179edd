#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# cppcheck over src/: tools/run-cppcheck.sh JOBS. Macros of libraries that it cannot see are explained to it.
set -eu
cd "$(dirname "$0")/.."
exec cppcheck --quiet --error-exitcode=1 --inline-suppr -j "$1" --std=c11 \
    --enable=warning,portability,performance --suppress=missingInclude \
    '-DLIBBPF_OPTS(type,name,...)=struct type name = {0}' \
    '-DDECLARE_LIBBPF_OPTS(type,name,...)=struct type name = {0}' \
    '-Djson_array_foreach(a,i,v)=for ((i) = 0; (v) = json_array_get((a), (i)); (i)++)' \
    '-Djson_object_foreach(o,k,v)=for (void *it = json_object_iter(o); (v) = json_next(o, &it, &(k));)' \
    -I src -I bpf -I tests src
