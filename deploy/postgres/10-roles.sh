#!/bin/sh
# Runs once, when the server's data is made: an owner for migrations, and a role that may
# only use what the owner makes. Passwords come from files, or from the environment.
set -eu

password() {  # NAME DEFAULT: the file that NAME_FILE names, else NAME, else the default
    eval "file=\${$1_FILE:-} value=\${$1:-}"
    if [ -n "$file" ]; then cat "$file"; else printf %s "${value:-$2}"; fi
}

psql --no-psqlrc -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" \
    -v database="$POSTGRES_DB" -v schema="${LARP_SCHEMA:-larp_manager}" \
    -v owner_password="$(password LARP_OWNER_PASSWORD larp_owner)" \
    -v app_password="$(password LARP_APP_PASSWORD larp)" <<'SQL'
CREATE ROLE larp_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE larp LOGIN PASSWORD :'app_password';
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CONNECT, TEMPORARY, CREATE ON DATABASE :"database" TO larp_owner;
GRANT CONNECT ON DATABASE :"database" TO larp;
CREATE SCHEMA :"schema" AUTHORIZATION larp_owner;

-- As the owner, so that a rollback may drop them and a reset make them anew.
SET ROLE larp_owner;
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA :"schema";
CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA :"schema";
GRANT USAGE ON SCHEMA :"schema" TO larp;
-- For what migrations make, and for the schema itself after a reset.
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO larp;
ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO larp;
ALTER DEFAULT PRIVILEGES GRANT USAGE, SELECT ON SEQUENCES TO larp;
SQL
