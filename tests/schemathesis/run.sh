#!/usr/bin/env bash
# Lets schemathesis compare what a server answers with what openapi.json says of it. The server is started for this, on
# ports and a private PostgreSQL of its own, and stopped at the end; what was registered goes with it.
#
#   tests/schemathesis/run.sh target/debug/jeday [arguments of schemathesis]
#
# Needs python3 with its module venv, and the ordinary index of Python packages at the first run.
set -euo pipefail

jeday=$(realpath "$1")
shift
here=$(cd "$(dirname "$0")" && pwd)
# Beside the program, where it is ignored like everything else that was built.
work=$(dirname "$(dirname "$jeday")")/schemathesis

# Made anew whenever the versions change; the copy is written last, so that half an environment does not count.
if ! cmp --silent "$here/requirements.txt" "$work/installed.txt"; then
    rm -rf "$work"
    mkdir -p "$work"
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" --quiet --disable-pip-version-check install --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$work/installed.txt"
fi

state=$(mktemp -d)
# A root server runs PostgreSQL as another user, who has to get through to its own folder.
chmod 755 "$state"
log=$work/server.log
: >"$log"
server=
clean_up() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" || true
    fi
    rm -rf "$state"
}
trap clean_up EXIT

# Hashes as cheap as they can be, and no limit on guesses: here every password is wrong but one.
settings=(
    server.address=127.0.0.1:0 metrics.address=off log.format=json cluster.state_directory="$state"
    hardening.memory=1MiB hardening.passes=1 hardening.lanes=1 hardening.allow_weak_parameters=true
    limits.login_failures_per_account=0 limits.login_failures_per_address=0
)
# Nothing of the environment decides how this server runs.
env -i PATH="$PATH" HOME="${HOME:-/}" "$jeday" serve "${settings[@]/#/--set=}" 2>"$log" &
server=$!

# The first start makes a database cluster, which takes some seconds.
until url=$(sed -n 's/.*"message":"ready".*"address":"\([^"]*\)".*/\1/p' "$log") && [ -n "$url" ]; do
    if ! kill -0 "$server" 2>/dev/null; then
        cat "$log" >&2
        exit 1
    fi
    sleep 0.1
done

# It writes where it is started, and looks for hooks there.
rm -rf "$work/run"
mkdir "$work/run"
cp "$here/hooks.py" "$here/schemathesis.toml" "$work/run"
cd "$work/run"
# From the file, not from the server, whose path schemathesis would leave out then; tests/api/openapi.rs compares the two.
JEDAY_URL=$url PYTHONDONTWRITEBYTECODE=1 "$work/venv/bin/schemathesis" run "$here/../../openapi.json" --url "$url" \
    --no-color "$@"
