#!/usr/bin/env bash
# Runs a script of Node.js that uses a real, headless Chromium. Installs what it needs: Chromium and Node.js by apt, playwright-core
# and axe-core by npm into target/report-test.
#
# usage: scripts/chromium.sh SCRIPT.cjs [ARGUMENT]...    the script gets CHROMIUM, the browser's path
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v npm >/dev/null || missing+=(npm)
if ((${#missing[@]})); then
    echo "installing ${missing[*]}" >&2
    apt-get update -qq && apt-get install -y -qq "${missing[@]}"
fi

tools=$root/target/report-test
if [[ ! -d $tools/node_modules/playwright-core || ! -d $tools/node_modules/axe-core ]]; then
    echo "installing playwright-core and axe-core into $tools" >&2
    mkdir -p "$tools"
    npm install --silent --no-audit --no-fund --prefix "$tools" playwright-core@1.56.1 axe-core@4.14.1 >&2
fi

CHROMIUM=$(command -v chromium) NODE_PATH=$tools/node_modules exec node "$@"
