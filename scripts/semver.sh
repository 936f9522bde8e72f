#!/usr/bin/env bash
# usage: scripts/semver.sh [REVISION]: compares the public API of each published crate with an earlier one, by the rules of
# semantic versioning (cargo-semver-checks, which it installs).
# Without a revision: with the commit from which that crate's API is kept in its api.txt. Before a release: with the tag of the
# last one. It takes minutes, so the gate does not run it; there `cargo run -p api` shows every change.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo-semver-checks >/dev/null; then
    cargo install --locked --quiet cargo-semver-checks@0.51.0
fi

failed=0
checked=0
for api in crates/*/api.txt; do
    folder=$(dirname "$api")
    baseline=${1:-$(git log -1 --diff-filter=A --format=%H -- "$api")}
    if [[ -z "$baseline" ]]; then
        echo "semver: the history has no commit that added $api: fetch all of it, or name a revision" >&2
        exit 2
    fi
    # Its exit code tells a break of the API too.
    cargo semver-checks --manifest-path "$folder/Cargo.toml" --baseline-rev "$baseline" || failed=1
    checked=$((checked + 1))
done
echo "semver: $checked packages compared"
exit "$failed"
