#!/bin/sh
# At the first start of PostgreSQL's own image: a role for Jeday that is no superuser, and its database.
set -eu

psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=postgres <<'SQL'
\set password `cat "$JEDAY_PASSWORD_FILE"`
CREATE ROLE jeday LOGIN PASSWORD :'password';
GRANT pg_monitor TO jeday;
CREATE DATABASE jeday OWNER jeday;
SQL
