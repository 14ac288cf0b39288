#!/bin/sh
# Converts the secret file to PgBouncer's list of users, which has its own quoting.
set -eu
umask 077
printf '"larp" "%s"\n' "$(sed 's/"/""/g' /run/secrets/larp_password)" >/run/pgbouncer/users.txt
exec pgbouncer --quiet /etc/larp/pgbouncer.ini
