#!/usr/bin/env bash
# Runs `jeday serve` in the foreground, and shows a first request as soon as it is ready. Ctrl-C stops the server.
#
#   scripts/run.sh target/release/jeday [arguments of serve]
set -euo pipefail

jeday=$1
shift
# The process that becomes the server.
server=$$

# What a client on this machine connects to, for the address that the server listens on.
url() {
    local address
    address=$("$jeday" config "$@" | sed -n '/^\[server\]/,/^\[/s/^address = "\([^"]*\)".*/\1/p')
    case "$address" in
        0.0.0.0:* | '[::]':* | :*) address=127.0.0.1:${address##*:} ;;
        *:*) ;;
        *) address=127.0.0.1:$address ;;
    esac
    echo "http://$address"
}

show_first_request() {
    local url body
    url=$(url "$@")
    # The very first start makes a database cluster, which takes some seconds. A server that could not start is gone by
    # the first look, so that nobody else's answers in its place.
    until sleep 0.2 && kill -0 "$server" && curl --silent --fail --output /dev/null "$url/health/ready"; do
        kill -0 "$server" 2>/dev/null || return 0
    done 2>/dev/null
    # Another address each time: the answer to one that is taken is 409.
    body='{"email":"ada+'$(date +%s)'@example.org","username":"Ada","password":"correct horse battery"}'
    printf '\n  A first request:\n\n'
    printf "    curl -i %s/auth/register -H 'Content-Type: application/json' \\\\\n      -d '%s'\n\n" "$url" "$body"
    curl --silent --show-error --include "$url/auth/register" -H 'Content-Type: application/json' -d "$body" |
        sed 's/^/    /'
    printf '\n\n  Ctrl-C stops the server. What was registered is there again at the next start.\n\n'
}

show_first_request "$@" &
exec "$jeday" serve "$@"
