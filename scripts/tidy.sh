#!/usr/bin/env bash
# Checks the sources: first words of documentation, lengths, circles. See crates/tidy/src/main.rs for the rules.
#
#   scripts/tidy.sh [words|sizes|rooms]...      default: all three
#
# Exit status: 0; 1 when something is to be mended, each with its file and line.
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo run --quiet --locked -p tidy -- "$@"
