#!/usr/bin/env bash
# Runs both browser tests, of a report and of the playground, in a real Chromium; where none can be had, says what was not tested.
#
# usage: scripts/browser-test.sh [REPORT.html]    (default: target/lab/report.html, which `lab compare` writes)
#
# Exit status: 0 when both passed; 1 when one found a fault; 2 when one was not run.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2

report=${1:-target/lab/report.html}
worst=0
not_tested() {
    echo "not tested: $1: $2" >&2
    worst=2
}
run() {
    local what=$1
    shift
    "$@"
    local status=$?
    case $status in
        0) echo "tested: $what: no fault" ;;
        1)
            echo "tested: $what: faults, see above" >&2
            ((worst == 2)) || worst=1
            ;;
        *) not_tested "$what" "$1 ended with $status, see above" ;;
    esac
}

if ! command -v chromium >/dev/null && { ((EUID != 0)) || ! command -v apt-get >/dev/null; }; then
    why="there is no chromium on the PATH, and it cannot be installed by apt-get as this user"
    not_tested "the report" "$why"
    not_tested "the playground" "$why"
    exit 2
fi
if [[ -f $report ]]; then
    run "the report" scripts/report-test.sh "$report"
else
    not_tested "the report" "there is no $report; scripts/compare.sh --quick writes one"
fi
run "the playground" scripts/play-test.sh
exit "$worst"
