#!/bin/sh
# The password is a secret's file; PgBouncer wants it in a list of users, in quotes of its own.
set -eu
umask 077
printf '"larp" "%s"\n' "$(sed 's/"/""/g' /run/secrets/larp_password)" >/run/pgbouncer/users.txt
exec pgbouncer --quiet /etc/larp/pgbouncer.ini
