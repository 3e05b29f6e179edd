# SPDX-License-Identifier: Apache-2.0
# Steps of a check, sourced by run-check.sh and check-long.sh. A step is a command with a time limit and a
# log; it prints one line. Counted are test cases where a step runs tests, and steps elsewhere.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
OUT=${HEDDLE_CHECK_DIR:-$ROOT/build-check}
LOGS=$OUT/logs
JOBS=${JOBS:-$(nproc)}
PASSED=0 FAILED=0 SKIPPED=0
mkdir -p "$LOGS"
cd "$ROOT" || exit 1

# With SAID a line of a table goes there too.
say() { # state, seconds, text
    printf '%-5s %4d s  %s\n' "$1" "$2" "$3"
    [ -z "${SAID:-}" ] || printf '| %s | %s | %d | %s | %s | %s |\n' "$3" "$1" "$2" "$(date '+%F %H:%M')" \
        "$(git rev-parse --short HEAD 2>/dev/null || echo '-')" "$(cut -d' ' -f1 /proc/loadavg)" >>"$SAID"
}

# run_logged NAME LIMIT COMMAND...: output goes to the log, which ends with the command's fate.
run_logged() {
    local name=$1 limit=$2 rc=0
    shift 2
    timeout -k 10 "$limit" "$@" >"$LOGS/$name.log" 2>&1 </dev/null || rc=$?
    [ $rc -ne 124 ] || echo "ended after its limit of $limit s" >>"$LOGS/$name.log"
    return $rc
}

show_log() {
    sed 's/^/      | /' "$LOGS/$1.log" | tail -n "${2:-15}"
}

# Says and counts how a step with a log ended.
ended() { # name, begin, text, status
    if [ "$4" -eq 0 ]; then
        PASSED=$((PASSED + 1))
        say ok $((SECONDS - $2)) "$3"
    else
        FAILED=$((FAILED + 1))
        say FAIL $((SECONDS - $2)) "$3 (log: ${LOGS#"$ROOT"/}/$1.log)"
        show_log "$1"
        return 1
    fi
}

# step NAME LIMIT TEXT COMMAND...: passes when the command does.
step() {
    local name=$1 limit=$2 text=$3 began=$SECONDS rc=0
    shift 3
    run_logged "$name" "$limit" "$@" || rc=$?
    ended "$name" "$began" "$text" $rc
}

# beside NAME LIMIT COMMAND...: begins a step that takes only what the machine has left over (SCHED_IDLE), while
# others run; beside_ends TEXT waits for it and counts it. One at a time.
beside() {
    BESIDE=$1 BESIDE_BEGAN=$SECONDS
    local limit=$2
    shift 2
    run_logged "$BESIDE" "$limit" chrt --idle 0 "$@" &
    BESIDE_PID=$!
}

beside_ends() { # text
    local rc=0
    wait "$BESIDE_PID" || rc=$?
    ended "$BESIDE" "$BESIDE_BEGAN" "$1" $rc
}

skip() { # text
    SKIPPED=$((SKIPPED + 1))
    say skip 0 "$1"
}

fail() { # text
    FAILED=$((FAILED + 1))
    say FAIL 0 "$1"
}

# tests NAME LIMIT TEXT BUILD SUITES [meson test arguments]: counts test cases, not programs. A suite
# without tests is skipped aloud, because it proves nothing.
tests() {
    local name=$1 limit=$2 text=$3 build=$4 suites=$5 began=$SECONDS rc=0 counts args=()
    shift 5
    for suite in $suites; do args+=(--suite "$suite"); done
    if ! meson test -C "$build" --list --no-rebuild "${args[@]}" 2>/dev/null | grep -q ' / '; then
        skip "$text: no tests"
        return 0
    fi
    rm -f "$build/meson-logs/$name.json"
    run_logged "$name" "$limit" meson test -C "$build" --no-rebuild --print-errorlogs --logbase "$name" \
        "${args[@]}" "$@" || rc=$?
    counts=$(tools/count-tests.py "$build/meson-logs/$name.json" 2>/dev/null) || counts='0 0 0'
    # shellcheck disable=SC2086 # three numbers
    set -- $counts
    # Meson itself failed, was stopped or ran nothing: that is a failure even if no test was.
    [ $(($1 + $3)) -gt 0 ] || rc=1
    [ $rc -eq 0 ] || [ "$2" -gt 0 ] || set -- "$1" 1 "$3"
    PASSED=$((PASSED + $1)) FAILED=$((FAILED + $2)) SKIPPED=$((SKIPPED + $3))
    text="$text: $1 passed"
    [ "$3" -eq 0 ] || text="$text, $3 skipped"
    if [ "$2" -eq 0 ]; then
        say ok $((SECONDS - began)) "$text"
    else
        say FAIL $((SECONDS - began)) "$text, $2 failed (log: ${LOGS#"$ROOT"/}/$name.log)"
        show_log "$name" 40
    fi
}

# build NAME LIMIT TEXT CC [meson arguments]: configures $OUT/NAME once and builds it.
build() {
    local name=$1 limit=$2 text=$3 cc=$4
    shift 4
    step "build-$name" "$limit" "$text" tests/build-in.sh "$OUT/$name" "$cc" "$JOBS" "$@"
}

finish() {
    local line="$PASSED passed, $FAILED failed"
    [ "$SKIPPED" -eq 0 ] || line="$line, $SKIPPED skipped"
    echo "$line"
    [ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
}
