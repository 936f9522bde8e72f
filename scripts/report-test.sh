#!/usr/bin/env bash
# Opens the report in a real, headless Chromium: uses it by mouse and keyboard, and looks for errors, requests to the
# network, texts that overlap and things that stick out, at three widths, light and dark. Screenshots go to
# target/lab/shots. Installs what it needs: Chromium and Node.js by apt, playwright-core by npm into target/report-test.
#
# usage: scripts/report-test.sh [REPORT.html]    (default: target/lab/report.html, which `lab compare` writes)
set -euo pipefail
cd "$(dirname "$0")/.."

report=${1:-target/lab/report.html}
if [[ ! -f $report ]]; then
    echo "no $report: run scripts/compare.sh --quick first" >&2
    exit 2
fi

missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v npm >/dev/null || missing+=(npm)
if ((${#missing[@]})); then
    echo "installing ${missing[*]}" >&2
    apt-get update -qq && apt-get install -y -qq "${missing[@]}"
fi

tools=target/report-test
if [[ ! -d $tools/node_modules/playwright-core ]]; then
    echo "installing playwright-core into $tools" >&2
    mkdir -p "$tools"
    npm install --silent --no-audit --no-fund --prefix "$tools" playwright-core@1.56.1 >&2
fi

profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
CHROMIUM=$(command -v chromium) NODE_PATH=$tools/node_modules \
    node scripts/report-test.cjs "$report" target/lab/shots "$profile"
