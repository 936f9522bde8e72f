#!/usr/bin/env bash
# Judges every intermediary that is installed, has 30 clients leave it in each way, and writes docs/proxies.md from that run.
#
#   scripts/long.sh through [CLIENTS [NAME...]]      default: 30, and every intermediary under peers/proxies
#
# What comes from PyPI, npm or Go is installed into cargo's target folder; what is a Debian package and missing is a row that
# says how to install it. With names, the page is left as it is.
set -euo pipefail

clients=${1:-30}
shift || true
cargo build --quiet --locked -p lab
# A promise that is broken and not expected is a row of the page, and the exit status of the check.
status=0
cargo run --quiet --locked -p lab -- through --install --tries "$clients" "$@" || status=$?
[ "$status" -le 1 ] || exit "$status"
if [ $# -eq 0 ]; then
    cargo run --quiet --locked -p lab -- proxies >docs/proxies.md
fi
exit "$status"
