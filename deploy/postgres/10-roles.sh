#!/bin/sh
# Creates two roles: an owner for migrations, and a role that can only use what the owner creates.
# The container runs it on its first start. Passwords come from files or from the environment. Run
# it again to set the current passwords.
set -eu

password() {  # NAME DEFAULT: content of the file in NAME_FILE, or value of NAME, or the default
    eval "file=\${$1_FILE:-} value=\${$1:-}"
    if [ -n "$file" ]; then cat "$file"; else printf %s "${value:-$2}"; fi
}

# Through the environment: every account can read argument lists.
LARP_OWNER_PASSWORD=$(password LARP_OWNER_PASSWORD larp_owner)
LARP_APP_PASSWORD=$(password LARP_APP_PASSWORD larp)
export LARP_OWNER_PASSWORD LARP_APP_PASSWORD

psql --no-psqlrc -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" \
    -v database="$POSTGRES_DB" -v schema="${LARP_SCHEMA:-larp_manager}" <<'SQL'
\getenv owner_password LARP_OWNER_PASSWORD
\getenv app_password LARP_APP_PASSWORD
SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY['larp_owner', 'larp']) AS name
WHERE to_regrole(name) IS NULL \gexec
ALTER ROLE larp_owner LOGIN PASSWORD :'owner_password';
ALTER ROLE larp LOGIN PASSWORD :'app_password';
-- To find and end the sessions that block a migration.
GRANT pg_read_all_stats, pg_signal_backend TO larp_owner;

REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CONNECT, TEMPORARY, CREATE ON DATABASE :"database" TO larp_owner;
GRANT CONNECT ON DATABASE :"database" TO larp;
CREATE SCHEMA IF NOT EXISTS :"schema" AUTHORIZATION larp_owner;

SET ROLE larp_owner;
GRANT USAGE ON SCHEMA :"schema" TO larp;
-- For what migrations make, and for the schema itself after a reset.
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO larp;
ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO larp;
ALTER DEFAULT PRIVILEGES GRANT USAGE, SELECT ON SEQUENCES TO larp;

-- As the owner, so that a rollback can drop them and a reset can create them again. Nothing
-- depends on them, so a missing one is only a warning, as in the first revision.
SET search_path TO :"schema";
DO $$
DECLARE
    extension text;
BEGIN
    FOREACH extension IN ARRAY ARRAY['uuid-ossp', 'pgcrypto'] LOOP
        BEGIN
            EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I', extension);
        EXCEPTION
            WHEN insufficient_privilege OR undefined_file OR feature_not_supported
                OR invalid_parameter_value OR object_not_in_prerequisite_state THEN
                RAISE WARNING 'continuing without extension %: %', extension, SQLERRM;
        END;
    END LOOP;
END
$$;
SQL
