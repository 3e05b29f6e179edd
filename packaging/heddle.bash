# SPDX-License-Identifier: Apache-2.0
# bash completion for heddle(1). Node IDs come from the contacts of the instance that is asked.

_heddle_run()
{
    local -a args=()
    local i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == --state ]] && args=(--state "${COMP_WORDS[i + 1]}")
    done
    heddle "${args[@]}" "$@" 2>/dev/null
}

_heddle_nodes()
{
    _heddle_run contacts -j | grep -o '"id":"[0-9a-f]*"' | cut -d '"' -f 4
}

_heddle_command()
{
    local i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --state | --join | --interface | --backend | --log-level | --recording) ((i++)) ;;
        -*) ;;
        *)
            echo "${COMP_WORDS[i]}"
            return
            ;;
        esac
    done
}

# Cores, then the lists of one.
_heddle_show()
{
    case $1 in
    show) echo kira model daemon bfd vrrp sample ;;
    *) _heddle_run show "$1" | awk '{ print $4 }' ;;
    esac
}

# Verbs; then what the models say may follow.
_heddle_config()
{
    case $2 in
    config) echo show set delete load diff check apply confirm return discard rollback history export ;;
    set | delete) _heddle_run config complete "${1:-/}" ;;
    /*) _heddle_run config complete "$2" "$1" ;;
    esac
}

_heddle_options()
{
    case $1 in
    up) echo --new --join --open --interface --backend --log-level --recording ;;
    ping) echo --count --interval --timeout ;;
    path) echo --timeout ;;
    counters) echo --all --wide ;;
    config) echo --confirm --candidate ;;
    interfaces | neighbours | contacts | vicinity | labels | forwarding | adjacencies | \
        processes | sockets | show) echo --wide ;;
    esac
}

_heddle_words()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words
    local command
    local commands="up down status interfaces neighbours contacts vicinity labels forwarding
        adjacencies counters processes sockets show bfd vrrp metrics ping path monitor config record restart lab sim
        help version"
    command=$(_heddle_command)

    COMPREPLY=()
    case $prev in
    --state) mapfile -t COMPREPLY < <(compgen -d -- "$cur") && return ;;
    --backend) mapfile -t COMPREPLY < <(compgen -W "ebpf tun auto" -- "$cur") && return ;;
    --log-level)
        mapfile -t COMPREPLY < <(compgen -W "error warning notice info debug" -- "$cur") && return
        ;;
    --join) return ;;
    esac
    if [[ $cur == -* ]]; then
        words="--state --json --help $(_heddle_options "$command")"
    elif [[ -z $command ]]; then
        words=$commands
    else
        case $command in
        ping | path) words=$(_heddle_nodes) ;;
        config) words=$(_heddle_config "$cur" "$prev") ;;
        help) words=$commands ;;
        show) words=$(_heddle_show "$prev") ;;
        lab) words="up down status exec cut heal change kill stop start play flow reach" ;;
        bfd) words="sessions counters summary" ;;
        sim) words="run random replay trace shrink sweep" ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

# The shell cuts words at = and : (COMP_WORDBREAKS), which paths and addresses have inside. So the line is
# cut anew, at blanks only; and of each reply the shell wants what comes after its own last cut.
_heddle()
{
    local line=${COMP_LINE:0:COMP_POINT} cur kept
    local -a COMP_WORDS
    local COMP_CWORD

    read -ra COMP_WORDS <<<"$line"
    [[ $line == *[[:blank:]] ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _heddle_words
    cur=${COMP_WORDS[COMP_CWORD]}
    kept=${cur%"${cur##*[=:]}"}
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
    # The begin of a path goes on without a blank. (Without readline there is nothing to tell.)
    [[ ${COMPREPLY[0]} == *[/=] ]] && compopt -o nospace 2>/dev/null
    return 0
}

complete -F _heddle heddle
