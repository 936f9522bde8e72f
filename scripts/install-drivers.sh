#!/usr/bin/env bash
# Installs the drivers with which the peers of Go and Python have the styles query and query-dropped.
#
#   scripts/install-drivers.sh
#
# Go's is Debian's golang-github-lib-pq-dev, which needs root; Python's are pinned in peers/python/drivers.txt, and go into cargo's
# target folder with pip, and nowhere else. psycopg needs libpq, which comes with Debian's postgresql-client. Without the drivers the
# peers lack both styles, and `lab list` says so.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -d /usr/share/gocode/src/github.com/lib/pq ]; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends golang-github-lib-pq-dev
fi
if ! ldconfig -p | grep -q 'libpq\.so\.5'; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends libpq5
fi
folder=${CARGO_TARGET_DIR:-target}/python-drivers
if [ ! -d "$folder/asyncpg" ] || [ ! -d "$folder/psycopg" ]; then
    # What interrupts pip leaves no half of a folder.
    rm -rf "$folder" "$folder.partial"
    python3 -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary=:all: \
        --requirement peers/python/drivers.txt --target "$folder.partial"
    mv "$folder.partial" "$folder"
fi
