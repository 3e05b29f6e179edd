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
    { c_files; git ls-files -- '*.py' '*.sh'; } | sort -u | xargs awk '
        FNR == 1 {
            want = FILENAME ~ /^bpf\/|\.bpf\.c$/ ? "(\\(GPL-2.0-only OR BSD-2-Clause\\)|GPL-2.0-only OR BSD-2-Clause)" : "Apache-2.0"
            said = 0
        }
        FNR <= 2 && $0 ~ "SPDX-License-Identifier: " want { said = 1 }
        FNR == 2 {
            if (!said) { print FILENAME ": no SPDX line with " want; bad = 1 }
            nextfile
        }
        END { exit bad }'
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
    c_files | xargs awk '
        FNR == 2 && !/^\/\*/ { print FILENAME ": line 2 begins no comment that says what the file is"; bad = 1 }
        FNR == 801 { print FILENAME ": more than 800 lines: two concerns in one file"; bad = 1 }
        END { exit bad }'
}

case ${1:-} in
format | spdx | words | size) "check_$1" ;;
*) echo "usage: $0 format|spdx|words|size" >&2; exit 2 ;;
esac
