#!/usr/bin/env bash
# Checks that the servers are siblings: see crates/siblings/src/main.rs for what may differ, and how a comment says why.
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo run --quiet --locked -p siblings
