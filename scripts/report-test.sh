#!/usr/bin/env bash
# Opens the report in a real, headless Chromium: uses it by mouse and keyboard, and looks for violations of axe-core's rules,
# errors, requests to the network, texts that overlap and things that stick out, at three widths, light and dark, and on paper.
# Screenshots and the print go to target/lab/shots. scripts/chromium.sh installs what it needs.
#
# usage: scripts/report-test.sh [REPORT.html]    (default: target/lab/report.html, which `lab compare` writes)
set -euo pipefail
cd "$(dirname "$0")/.."

report=${1:-target/lab/report.html}
if [[ ! -f $report ]]; then
    echo "no $report: run scripts/compare.sh --quick first" >&2
    exit 2
fi

profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
scripts/chromium.sh scripts/report-test.cjs "$report" target/lab/shots "$profile"
