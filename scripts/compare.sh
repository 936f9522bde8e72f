#!/usr/bin/env bash
# Compares the servers: builds each alone in release, judges and measures them side by side, and says what it means.
set -euo pipefail

usage() {
    cat <<'HELP'
Usage: scripts/compare.sh [--quick | --full] [--details] [--measure-only[=WHAT,...]] [--peers [--no-install] | SERVER...]

When a request times out, does its work really stop? This builds the lab and each server in release, one after
another (one build for all would unify their features), and compares them: the scenarios that each must pass, how
late its 504 is, how long work of each style goes on after the 504, what a storm of 500 timeouts costs, how many
requests it answers and how fast, and what one costs in memory.

  --quick     the scenarios that are fast, fewer rounds, shorter work: at most 45 s after the build instead of some 160 s
  --full      every measurement, most of them five times, up to 10,000 connections: two to three minutes more for each
              server
  --details   print every sentence, how it was measured, and pictures in characters
  --measure-only[=WHAT,...]  no scenarios; of the measurements only these: zombie, outside, storm, overshoot, spread,
              disconnect, streams, resets, rapid_reset, footprint, interference, leak, throughput, latency
  --peers     the peers too: Go's net/http, Python's http.server and asyncio, axum, actix. Whatever is not here and
              cannot be had is a row `absent` with the reason. Thirteen servers take several times as long as four
  --no-install  fetch nothing. Without a Go, --peers installs a pinned one with pip, into cargo's target folder alone
  SERVER...   names from servers.toml; without any, the lab's own: tokio async-std smol threads

It prints the conclusion, then a screen for each question (into a file or a pipe: four tables), and writes
  target/lab/report.html    the same with pictures; open it in a browser, it needs no network
  target/lab/results.json   every verdict and every raw sample, with versions, machine and hashes of the binaries

Examples:
  scripts/compare.sh --quick             all four, in short
  scripts/compare.sh tokio threads       two of them, in full
  scripts/compare.sh --peers             everybody

Exit status: 0 when every server ran and passed; 1 when a scenario failed; 2 when something could not
be run. It needs a Rust toolchain (https://rustup.rs) and Linux, and nothing else: the peers are a choice. Ctrl-C leaves no process behind.
HELP
}

for argument in "$@"; do
    case $argument in
        -h | --help)
            usage
            exit 0
            ;;
    esac
done

if ! command -v cargo >/dev/null; then
    echo "compare.sh: no cargo on the PATH; install Rust from https://rustup.rs" >&2
    exit 2
fi

# A relative target folder is meant from where the caller stands, not from the root of the repository.
if [[ -n ${CARGO_TARGET_DIR:-} && $CARGO_TARGET_DIR != /* ]]; then
    CARGO_TARGET_DIR=$PWD/$CARGO_TARGET_DIR
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Cargo's own word on where it builds to: the variable, its configuration or the default.
target=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
export CARGO_TARGET_DIR=$target

echo "compare.sh: building the lab" >&2
cargo build --release --locked --package lab || exit 2

# The lab builds the servers itself, each by its command in servers.toml: one that does not build is a row of its
# table, and the others still run. It takes the place of this shell, so that signals reach it alone.
exec "$CARGO_TARGET_DIR/release/lab" compare "$@"
