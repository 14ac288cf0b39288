#!/bin/sh
# Makes the secrets of docker-compose.prod.yml, each in a file of its own; what is there stays.
#
# A password of your own goes into its file before this runs. The URLs follow the passwords;
# a database that is there already is told a new one by deploy/postgres/10-roles.sh.
set -eu
cd "$(dirname "$0")/.."
umask 077
mkdir -p secrets
# The directory keeps others out: the files the containers read, as accounts of their own.
chmod 700 secrets

random() { od -An -v -N 36 -t x1 /dev/urandom | tr -d ' \n'; }

encoded() { # FILE: its line with all percent-encoded that a URL might take for its own
    LC_ALL=C awk '
        BEGIN { for (i = 1; i < 256; i++) code[sprintf("%c", i)] = sprintf("%%%02X", i) }
        {
            for (i = 1; i <= length($0); i++) {
                letter = substr($0, i, 1)
                printf "%s", letter ~ /[A-Za-z0-9._~-]/ ? letter : code[letter]
            }
        }' "$1"
}

publish() { # NAME VALUE: all of it, or nothing
    printf %s "$2" >"secrets/.$1"
    chmod 444 "secrets/.$1"
    mv -f "secrets/.$1" "secrets/$1"
}

make() { # NAME
    if [ -s "secrets/$1" ]; then chmod 444 "secrets/$1"; else publish "$1" "$(random)"; fi
}

make_url() { # NAME ROLE PASSWORD_NAME ADDRESS
    password=$(encoded "secrets/$3")
    case $(cat "secrets/$1" 2>/dev/null) in
        *":$password@"*) chmod 444 "secrets/$1" ;;
        "" | "postgresql://$2:"*"@$4/larp") publish "$1" "postgresql://$2:$password@$4/larp" ;;
        *)
            echo "error: secrets/$1 is without the password in secrets/$3" >&2
            echo "hint: correct one of them, or delete secrets/$1 and run this again" >&2
            exit 1
            ;;
    esac
}

make postgres_password
make larp_owner_password
make larp_password
make secret_key
make health_details_token
make_url database_url larp larp_password pgbouncer:6432
make_url database_migration_url larp_owner larp_owner_password postgres:5432
