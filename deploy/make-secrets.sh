#!/bin/sh
# Makes the secrets of docker-compose.prod.yml, each in a file of its own; what is there stays.
set -eu
cd "$(dirname "$0")/.."
mkdir -p secrets
chmod 711 secrets

random() { od -An -N 36 -t x1 /dev/urandom | tr -d ' \n'; }

make() {  # NAME VALUE
    [ -e "secrets/$1" ] || printf %s "$2" >"secrets/$1"
    chmod 444 "secrets/$1" # the containers read it as accounts of their own
}

make postgres_password "$(random)"
make larp_owner_password "$(random)"
make larp_password "$(random)"
make secret_key "$(random)"
make health_details_token "$(random)"
make database_url "postgresql://larp:$(cat secrets/larp_password)@pgbouncer:6432/larp"
make database_migration_url "postgresql://larp_owner:$(cat secrets/larp_owner_password)@postgres:5432/larp"
