#!/usr/bin/env bash
# Judges every intermediary that is installed, has 30 clients disconnect in each way, and writes docs/proxies.md from that run.
#
#   scripts/long.sh through [CLIENTS [NAME...]]      default: 30, and every intermediary under peers/proxies
#
# What is missing is a row that says how to install it; `lab through --install NAME` installs what comes from PyPI, npm or Go.
# With names, the page is printed and not written. Every verdict with its trace is in target/lab/through.txt.
set -euo pipefail

clients=${1:-30}
shift || true
cargo build --quiet --locked -p lab
# A promise that is broken and not expected is a row of the page, and the exit status of the check.
status=0
mkdir -p target/lab
cargo run --quiet --locked -p lab -- through --tries "$clients" "$@" >target/lab/through.txt || status=$?
[ "$status" -le 1 ] || exit "$status"
page=$(cargo run --quiet --locked -p lab -- proxies)
[ $# -gt 0 ] || printf '%s\n' "$page" >docs/proxies.md
# The record has the conclusion and the verdicts; the page has the rest.
sed '/^## The client disconnects/,$d' <<<"$page"
exit "$status"
