#!/usr/bin/env bash
# Makes what docker-compose.yml reads as secrets: random passwords, one file each, and the files that hold them for
# Jeday and PgBouncer. Never overwrites a folder that is there: a database knows its passwords from its first start on.
#
#   scripts/make-secrets.sh [folder, otherwise deploy/secrets]
set -euo pipefail

folder=${1:-$(dirname "$0")/../deploy/secrets}
if [ -e "$folder" ]; then
    echo "$folder is there already, and stays as it is" >&2
    exit 1
fi

# Letters and digits only, so that it needs no escape anywhere: 32 of 62 are 190 bits.
password() {
    LC_ALL=C tr -dc 'A-Za-z0-9' < <(head --bytes=4096 /dev/urandom) | head --bytes=32
}

# The user in a container has another number than the owner of these files. He may read them, and the folder lets
# nobody but its owner through to them: the engine mounts each file by itself.
mkdir --mode=0700 "$folder"
umask 022
jeday=$(password)
password >"$folder/postgres-password"
password >"$folder/grafana-password"
printf '%s' "$jeday" >"$folder/jeday-password"
# Which host that is, PGHOST says: the database, or a pooler in front of it.
printf '[database]\nurl = "postgres://jeday:%s@/jeday"\n' "$jeday" >"$folder/jeday.toml"
printf '"jeday" "%s"\n' "$jeday" >"$folder/pgbouncer-users"
chmod 0444 "$folder"/*
echo "made $folder: keep a copy in a safe place" >&2
