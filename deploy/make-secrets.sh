#!/bin/sh
# Creates the secrets of docker-compose.prod.yml, one file each, and keeps existing files.
#
# To use your own password, put it into its file before you run this. The URLs follow the
# passwords. To change a password in an existing database, run deploy/postgres/10-roles.sh.
set -eu
cd "$(dirname "$0")/.."
umask 077
mkdir -p secrets
# The directory keeps other users out. The files are readable, because containers read them
# with their own accounts.
chmod 700 secrets

random() { od -An -v -N 36 -t x1 /dev/urandom | tr -d ' \n'; }

encoded() { # FILE: its line, percent-encoded for a URL
    LC_ALL=C awk '
        BEGIN { for (i = 1; i < 256; i++) code[sprintf("%c", i)] = sprintf("%%%02X", i) }
        {
            for (i = 1; i <= length($0); i++) {
                letter = substr($0, i, 1)
                printf "%s", letter ~ /[A-Za-z0-9._~-]/ ? letter : code[letter]
            }
        }' "$1"
}

publish() { # NAME VALUE: write the file atomically
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
            echo "error: secrets/$1 does not contain the password in secrets/$3" >&2
            echo "hint: correct one of them, or: rm secrets/$1 && sh deploy/make-secrets.sh" >&2
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
