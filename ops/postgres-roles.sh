#!/bin/sh
# Run once by the PostgreSQL image, before anything else. Three roles, each with one task:
#   yinling_owner   owns the schema and migrates it; row-level security binds it too (FORCE)
#   yinling_app     what the processes use: owns nothing, bypasses nothing; the processes refuse to start with more
#   yinling_backup  reads everything past row-level security and writes nothing: for dumps, and for nothing else
# See ops/README.md for a server that stands already.
set -eu
psql -v ON_ERROR_STOP=1 -U postgres -v owner="$YINLING_OWNER_PASSWORD" -v app="$YINLING_APP_PASSWORD" \
    -v backup="${YINLING_BACKUP_PASSWORD:-}" <<'SQL'
CREATE ROLE yinling_owner LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'owner';
CREATE ROLE yinling_app LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'app';
CREATE ROLE yinling_backup LOGIN NOSUPERUSER BYPASSRLS PASSWORD :'backup';
GRANT pg_read_all_data TO yinling_backup;
ALTER ROLE yinling_backup SET default_transaction_read_only = on;
CREATE DATABASE yinling OWNER yinling_owner;
-- Nobody holds a lock for long: the processes ask for the same on each connection, this holds for whoever else uses the role.
ALTER ROLE yinling_app SET statement_timeout = '10s';
ALTER ROLE yinling_app SET lock_timeout = '4s';
ALTER ROLE yinling_app SET idle_in_transaction_session_timeout = '15s';
ALTER ROLE yinling_app SET transaction_timeout = '20s';
-- A migration waits shortly for its locks, so that no queue forms behind it.
ALTER ROLE yinling_owner SET lock_timeout = '5s';
-- What the owner leaves open in this database holds the feed up; a forgotten window of psql does so for this long at most.
ALTER ROLE yinling_owner SET idle_in_transaction_session_timeout = '60s';
SQL
