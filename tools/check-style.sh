#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Style of the files that git knows: tools/check-style.sh format|spdx|words|size
# Prints the offending files and exits with 1 when there are any.
set -eu
cd "$(dirname "$0")/.."

c_files() {
    git ls-files -- 'src/*.[ch]' 'bpf/*.[ch]' 'tests/*.[ch]' 'bench/*.[ch]' 'tools/*.[ch]' |
        while read -r f; do [ ! -e "$f" ] || echo "$f"; done
}

check_format() {
    c_files | xargs clang-format --dry-run --Werror
}

# The licence stands in the first two lines; below bpf/ it is another one (LICENSES/README.md).
check_spdx() {
    { c_files; git ls-files -- '*.py' '*.sh'; } | sort -u | while read -r f; do
        case $f in
        bpf/* | *.bpf.c) want='(GPL-2.0-only OR BSD-2-Clause)|GPL-2.0-only OR BSD-2-Clause' ;;
        *) want='Apache-2.0' ;;
        esac
        head -n 2 "$f" | grep -Eq "SPDX-License-Identifier: ($want)" || echo "$f: no SPDX line with $want"
    done | { ! grep .; }
}

check_words() {
    patterns=$(mktemp)
    trap 'rm -f "$patterns"' EXIT
    grep -v '^#' tests/forbidden-words.txt > "$patterns"
    # Corpus files are bytes; -I leaves them out.
    ! git grep -I -n -E -f "$patterns" -- . ':!tests/forbidden-words.txt' ':!LICENSE' ':!LICENSES'
}

# Files below 800 lines, each with an essay at its top.
check_size() {
    c_files | while read -r f; do
        lines=$(wc -l < "$f")
        [ "$lines" -le 800 ] || echo "$f: $lines lines: two concerns in one file"
        sed -n 2p "$f" | grep -q '^/\*' || echo "$f: line 2 begins no comment that says what the file is"
    done | { ! grep .; }
}

case ${1:-} in
format | spdx | words | size) "check_$1" ;;
*) echo "usage: $0 format|spdx|words|size" >&2; exit 2 ;;
esac
