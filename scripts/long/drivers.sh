#!/usr/bin/env bash
# Takes the time from the end of a query's waiter to the end of the query, with the drivers of Go and Python.
#
#   scripts/long.sh drivers
#
# It needs Debian's postgresql, Go, and Debian's golang-github-lib-pq-dev and golang-github-jackc-pgx-v4-dev, or
# their sources unpacked below GOCODE (default /usr/share/gocode); asyncpg and psycopg are installed with pip into a virtual
# environment below the target folder. By variables: TRIES, cancels of each kind (30).
set -euo pipefail

tries=${TRIES:-30} target=$(realpath "${CARGO_TARGET_DIR:-target}")
go=$(scripts/go.sh 1.21)
# Debian keeps PostgreSQL's own programs off the PATH.
command -v initdb >/dev/null || PATH=$PATH:$(dirname "$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -1)")
GO111MODULE=off GOPATH=${GOCODE:-/usr/share/gocode} "$go" build -o "$target/drivers-go" scripts/drivers/query.go
[ -x "$target/drivers-venv/bin/python3" ] || python3 -m venv "$target/drivers-venv"
"$target/drivers-venv/bin/pip" install --quiet --disable-pip-version-check asyncpg==0.32.0 'psycopg[binary]==3.3.9'

folder=$(mktemp -d)
as=()
if [ "$(id -u)" = 0 ]; then
    # PostgreSQL refuses to run as root.
    chown postgres "$folder"
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
fi
stop() {
    "${as[@]}" pg_ctl -D "$folder/data" -m immediate stop >/dev/null || true
    rm -rf "$folder"
}
trap stop EXIT
cd "$folder"
"${as[@]}" initdb -D "$folder/data" -U lab -A trust --no-sync >/dev/null
port=$((20000 + RANDOM % 20000))
"${as[@]}" pg_ctl -D "$folder/data" -w -l "$folder/log" \
    -o "-c listen_addresses=127.0.0.1 -p $port -k $folder -c fsync=off" start >/dev/null
url="postgres://lab@127.0.0.1:$port/postgres?sslmode=disable"
cd - >/dev/null
"$target/drivers-venv/bin/python3" scripts/drivers/query.py "${url%%\?*}" "$tries"
"$target/drivers-go" "$url" "$tries"
