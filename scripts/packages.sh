#!/usr/bin/env bash
# usage: scripts/packages.sh: checks what is in the packages that are published.
# Each has its README, CHANGELOG and licenses. The whole, with a build of each package, is
# `cargo publish --workspace --dry-run`.
set -euo pipefail
cd "$(dirname "$0")/.."

published=$(cargo metadata --no-deps --locked --format-version=1 |
    python3 -c 'import json, sys; print(*(p["name"] for p in json.load(sys.stdin)["packages"] if p["publish"] is None))')
failed=0
for package in $published; do
    files=$(cargo package --list --locked --allow-dirty --package "$package")
    for file in README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT src/lib.rs; do
        if ! grep -qxF "$file" <<<"$files"; then
            echo "$package: the package lacks $file: add it beside its Cargo.toml, and to \`include\` there"
            failed=1
        fi
    done
done
echo "packages: $(wc -w <<<"$published") looked at"
exit "$failed"
