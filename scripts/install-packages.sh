#!/usr/bin/env bash
# Installs the Debian packages whose programs are missing; says nothing when none is.
#
#   scripts/install-packages.sh postgresql pgbouncer
#
# As root or through sudo it runs apt-get; anywhere else it says what is missing and ends with status 1. Nothing that
# packages would start by themselves is started, and nothing that runs is touched: Jeday and its tests start servers of
# their own, on sockets and ports of their own.
set -euo pipefail

# Debian keeps servers where a plain user's search path does not lead.
PATH=$PATH:/usr/sbin:/sbin

is_there() {
    command -v "$1" >/dev/null && return
    # No program but a part of Python, without which Debian's cannot make environments.
    [ "$1" = python3-venv ] && { python3 -c 'import ensurepip, venv' 2>/dev/null; return; }
    # A module for Debian's own Python.
    [ "$1" = python3-seccomp ] && { /usr/bin/python3 -c 'import seccomp' 2>/dev/null; return; }
    # What finds out which libraries a package needs.
    [ "$1" = dpkg-dev ] && { command -v dpkg-shlibdeps >/dev/null; return; }
    # Debian and others have several versions of the server beside each other, and none in the search path.
    [ "$1" = postgresql ] && {
        command -v postgres >/dev/null ||
            compgen -G '/usr/lib*/postgresql*/*/bin/postgres' >/dev/null ||
            compgen -G '/usr/pgsql-*/bin/postgres' >/dev/null
    }
}

missing=()
for package in "$@"; do
    is_there "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

refuse() {
    echo "missing: ${missing[*]}" >&2
    echo "install it, as by 'apt-get install ${missing[*]}', and run this again" >&2
    exit 1
}

command -v apt-get >/dev/null || refuse
if [ "$(id -u)" -eq 0 ]; then
    as_root() { "$@"; }
elif [ -t 0 ] && command -v sudo >/dev/null; then
    as_root() { sudo "$@"; }
elif sudo --non-interactive true 2>/dev/null; then
    as_root() { sudo --non-interactive "$@"; }
else
    refuse
fi

echo "installing ${missing[*]}" >&2
undo=()
log=$(mktemp)
clean_up() {
    for step in "${undo[@]}"; do
        eval "$step"
    done
    rm -f "$log"
}
trap clean_up EXIT

# The package postgresql makes a cluster for the system, which nobody here has asked for. Where PostgreSQL has been
# before, whatever its administrator has decided stays as it is.
settings=/etc/postgresql-common/createcluster.conf
if [[ " ${missing[*]} " == *" postgresql "* ]] && [ ! -e "${settings%/*}" ]; then
    as_root mkdir -p "${settings%/*}"
    echo 'create_main_cluster = false' | as_root tee "$settings" >/dev/null
    # The package leaves its own file beside ours, which takes its place once it has done its work.
    undo+=("[ ! -e $settings.ucf-dist ] || as_root mv $settings.ucf-dist $settings")
fi

# pgbouncer, nginx and haproxy would start on their usual ports: Debian asks this file before it starts anything.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    undo+=("as_root rm -f $policy")
fi

install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        -o Dpkg::Options::=--force-confold "${missing[@]}"
}
# The lists of packages are mostly there and new enough; fetching them costs time.
if ! install >"$log" 2>&1 && ! { as_root apt-get update && install; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    exit 1
fi
