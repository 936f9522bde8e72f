#!/usr/bin/env bash
# Opens the playground in a real, headless Chromium: presses, watches and disconnects by mouse and by keyboard alone, at three
# widths, light and dark; looks for wrong verdicts, for violations of axe-core's rules, for errors and for requests to the network;
# and lets another site try to press. Screenshots go to target/lab/play.
#
# usage: scripts/play-test.sh
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --quiet --locked -p lab
exec scripts/chromium.sh scripts/play-test.cjs "${CARGO_TARGET_DIR:-target}/debug/lab" target/lab/play
