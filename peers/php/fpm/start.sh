#!/bin/sh
# start.sh PORT SCRIPT: PHP-FPM, and nginx in front of it: neither takes its port from the command line.
# PHP-FPM leaves the process group, so it asks for a signal when nginx ends.
set -eu
here=$(pwd)
for file in nginx.conf fpm.conf; do
    sed -e "s|PORT|$1|g; s|SCRIPT\.php|$2.php|; s|FOLDER|$here|g; s|listen = |listen = $here/|" "$file" >"$1-$file"
done
setpriv --pdeathsig TERM php-fpm8.2 --nodaemonize --allow-to-run-as-root --fpm-config "$here/$1-fpm.conf" &
while ! [ -S "php-$1.sock" ]; do sleep 0.05; done
exec /usr/sbin/nginx -p "$here" -c "$1-nginx.conf"
