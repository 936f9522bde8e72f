#!/bin/sh
# Sends random and mutated request heads to servers: none may panic, hang, leak, or answer 200 to garbage.
#
#   scripts/fuzz-heads.sh [COUNT] [SERVER...] [--seed N] [--from N]      default: 100000 heads to each of the lab's own
#
# The seed is printed first; with it, and with the number that a finding names, the same bytes are sent again.
set -eu
cd "$(dirname "$0")/.."
exec cargo run -q --release -p testbed --example fuzz_heads -- "$@"
