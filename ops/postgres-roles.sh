#!/bin/sh
# Run once by the PostgreSQL image: the owner migrates, the application owns nothing and cannot bypass row security.
set -eu
psql -v ON_ERROR_STOP=1 -U postgres -v owner="$YINLING_OWNER_PASSWORD" -v app="$YINLING_APP_PASSWORD" <<'SQL'
CREATE ROLE yinling_owner LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'owner';
CREATE ROLE yinling_app LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'app';
CREATE DATABASE yinling OWNER yinling_owner;
SQL
