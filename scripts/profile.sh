#!/usr/bin/env bash
# Puts load on a release build with a scratch database, and gathers where the time goes into profiles/DATE.
#
#   scripts/profile.sh reset   target/release/jeday   makes the scratch database anew, in profiles/scratch
#   scripts/profile.sh profile target/release/jeday   load, the server's own profile, PostgreSQL's statistics
#   scripts/profile.sh full    target/release/jeday   reset, and profile with perf and bpftrace beside it
#
# The environment says what load: SCENARIO (a file of k6/, otherwise register), VUS and DURATION as k6/README.md has
# them. What this machine lacks or its kernel forbids is left out, with a line that says why. Stops only what it has
# started.
set -euo pipefail

usage() {
    sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}

[ $# -eq 2 ] || usage
mode=$1
jeday=$(realpath "$2")
cd "$(dirname "$0")/.."
case "$mode" in reset | profile | full) ;; *) usage ;; esac
[ -x "$jeday" ] || { echo "$jeday is no program: cargo build --release" >&2; exit 1; }

scenario=${SCENARIO:-register}
vus=${VUS:-20}
duration=${DURATION:-20s}
k6=${K6:-.tools/k6}
scratch=$PWD/profiles/scratch
# What belongs to the load is not measured: k6 starts slowly.
warm_up_s=2

# Debian's PostgreSQL is in nobody's search path.
programs=$(find /usr/lib/postgresql /usr/pgsql-* -maxdepth 2 -name bin 2>/dev/null | sort --version-sort | tail -n 1 || true)
PATH=$PATH:$programs:/usr/sbin:/sbin

# Every process that is stopped at the end, the server last.
server=
children=()
clean_up() {
    local child
    for child in "${children[@]}" $server; do
        kill "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    done
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Also into the page: whoever reads it later was not there.
skip() {
    echo "skipped: $1: $2" >&2
    [ -z "${folder:-}" ] || printf '%s: %s\n' "$1" "$2" >>"$folder/skipped.txt"
}

seconds_of() {
    case "$1" in
        *[!0-9]*s | *[!0-9]*m) echo "DURATION=$1: seconds or minutes, as 20s or 2m" >&2; exit 2 ;;
        *s) echo "${1%s}" ;;
        *m) echo $((${1%m} * 60)) ;;
        *) echo "DURATION=$1: seconds or minutes, as 20s or 2m" >&2; exit 2 ;;
    esac
}
seconds=$(seconds_of "$duration")
measured_s=$((seconds - warm_up_s))
# One after the other, so that none measures another: two profiles of the server's own, perf twice, bpftrace. The last
# two parts are for programs to start in.
case "$mode" in full) parts=7 ;; *) parts=2 ;; esac
part_s=$((measured_s / parts))
[ "$part_s" -ge 1 ] || { echo "DURATION=$duration: $((warm_up_s + parts))s at the least" >&2; exit 2; }

reset() {
    if [ -s "$scratch/postgres/postmaster.pid" ]; then
        echo "a server still uses $scratch: stop it first" >&2
        exit 1
    fi
    rm -rf "$scratch"
    mkdir -p "$scratch"
    # A server that runs as root leaves PostgreSQL to another user, who has to get through to his own folder.
    chmod 755 "$scratch"
    # The first start makes the cluster; statements are counted from the second on.
    log=$scratch/server.log
    start_server
    stop_server
    echo "shared_preload_libraries = 'pg_stat_statements'" >"$scratch/postgres/custom.conf"
}

stop_server() {
    kill "$server"
    wait "$server" || true
    server=
}

start_server() {
    # Logins of one client as fast as it can are what a load is.
    local settings=(
        server.address=127.0.0.1:0 metrics.address=127.0.0.1:0 log.format=json cluster.state_directory="$scratch"
        limits.login_failures_per_account=0 limits.login_failures_per_address=0 hardening.queue_max=400
    )
    : >"$log"
    env -i PATH="$PATH" HOME="${HOME:-/}" "$jeday" serve "${settings[@]/#/--set=}" 2>"$log" &
    server=$!
    until base_url=$(told address) && [ -n "$base_url" ]; do
        kill -0 "$server" 2>/dev/null || { cat "$log" >&2; exit 1; }
        sleep 0.1
    done
    metrics_url=$(told metrics)
    operator_url=${metrics_url%/metrics}
}

# A field of the server's record that it is ready.
told() {
    sed -n "s/.*\"message\":\"ready\".*\"$1\":\"\\([^\"]*\\)\".*/\\1/p" "$log"
}

connection=(--no-psqlrc --quiet --host="$scratch/postgres/socket" --username=postgres --dbname=jeday)
sql() {
    psql "${connection[@]}" "$@"
}

svg_and_pprof() {
    curl --silent --show-error --fail --output "$folder/cpu.svg" \
        "$operator_url/debug/profile?seconds=$part_s&format=svg" || skip 'flame graph' 'the server gave none'
    curl --silent --show-error --fail --output "$folder/cpu.pb.gz" \
        "$operator_url/debug/profile?seconds=$part_s" || skip 'pprof profile' 'the server gave none'
}

# What PostgreSQL's processes wait for, twenty times a second.
wait_events() {
    local query="SELECT coalesce(wait_event_type || ':' || wait_event, 'CPU') FROM pg_stat_activity
        WHERE state = 'active' AND pid <> pg_backend_pid()"
    { timeout "$measured_s" psql "${connection[@]}" --no-align --tuples-only <<<"$query \\watch 0.05" || true; } |
        grep . | sort | uniq --count | sort --reverse --numeric-sort >"$folder/wait-events.txt" ||
        skip 'wait events' 'PostgreSQL was never seen at work'
}

perf_cpu() {
    command -v perf >/dev/null || { skip 'perf' 'not there; on Debian: apt-get install linux-perf'; return; }
    local said
    said=$(perf record --quiet --freq=99 --call-graph=dwarf,16384 --pid="$server" --output="$folder/perf.data" \
        -- sleep "$part_s" 2>&1) || { skip 'perf' "$(tail -n 1 <<<"$said")"; return; }
}

# Once the load is over: it takes a core for seconds.
perf_report() {
    [ -s "$folder/perf.data" ] || return 0
    perf report --stdio --no-children --call-graph=none --percent-limit=0.5 --input="$folder/perf.data" \
        >"$folder/perf-cpu.txt" 2>/dev/null || skip 'perf report' 'no samples'
    # By far the largest file, and read by this perf only.
    rm -f "$folder/perf.data" "$folder/perf.data.old"
}

perf_counts() {
    command -v perf >/dev/null || return 0
    local said
    said=$(perf stat --pid="$server" --output="$folder/perf-stat.txt" -- sleep "$part_s" 2>&1) ||
        skip 'perf stat' "$(tail -n 1 <<<"$said")"
}

perf_syscalls() {
    command -v perf >/dev/null || return 0
    local said
    said=$(perf trace --summary --pid="$server" --output="$folder/perf-syscalls.txt" -- sleep "$part_s" 2>&1) ||
        { rm -f "$folder/perf-syscalls.txt"; skip 'perf trace' "$(tail -n 1 <<<"$said")"; }
}

# One program of bpftrace, whose result is what it prints at its end.
trace() {
    local name=$1 program=$2 said
    if ! said=$(timeout --signal=INT $((part_s + 15)) bpftrace -o "$folder/$name.txt" -e "$program
        interval:s:$part_s { exit(); }" 2>&1); then
        rm -f "$folder/$name.txt"
        skip "bpftrace $name" "$(grep -v '^$' <<<"$said" | tail -n 1)"
    fi
}

bpf_off_cpu() {
    command -v bpftrace >/dev/null || { skip 'bpftrace' 'not there; on Debian: apt-get install bpftrace'; return; }
    trace off-cpu "
        tracepoint:sched:sched_switch {
            if (args->prev_state > 0 && (pid == $server || comm == \"postgres\")) { @left[args->prev_pid] = nsecs; }
            if (@left[args->next_pid]) {
                @off_cpu_us[args->next_comm] = hist((nsecs - @left[args->next_pid]) / 1000);
                delete(@left[args->next_pid]);
            }
        }
        END { clear(@left); }"
}

bpf_syscalls() {
    command -v bpftrace >/dev/null || return 0
    trace syscalls "
        tracepoint:raw_syscalls:sys_enter /pid == $server/ { @calls[args->id] = count(); @began[tid] = nsecs; }
        tracepoint:raw_syscalls:sys_exit /@began[tid]/ {
            @time_us[args->id] = sum((nsecs - @began[tid]) / 1000); delete(@began[tid]);
        }
        END { clear(@began); }"
}

# Before the load: statements are counted from now on.
prepare_postgres() {
    sql --command 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements' >/dev/null 2>&1 || true
    if ! sql --command 'SELECT pg_stat_statements_reset()' >/dev/null 2>&1; then
        skip pg_stat_statements 'PostgreSQL does not have it, on Debian part of the package postgresql'
    fi
    sql --command "SELECT pg_stat_reset_shared('wal')" >/dev/null
    wal_before=$(sql --no-align --tuples-only --command "SELECT pg_current_wal_lsn()")
}

postgres_results() {
    sql --command "SELECT calls, rows, round(total_exec_time) AS total_ms, round(mean_exec_time::numeric, 3) AS mean_ms,
        wal_bytes, shared_blks_hit AS hit, shared_blks_read AS read,
        left(regexp_replace(query, '[[:space:]]+', ' ', 'g'), 100) AS query
        FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT 30" >"$folder/statements.txt" 2>/dev/null ||
        rm -f "$folder/statements.txt"
    {
        sql --expanded --command "SELECT pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), '$wal_before')) AS wal,
            (SELECT count(*) FROM users) AS users"
        sql --expanded --command 'SELECT * FROM pg_stat_wal'
    } >"$folder/wal.txt"
    sql --command "SELECT name, setting, unit FROM pg_settings WHERE source NOT IN ('default', 'override')
        ORDER BY name" >"$folder/postgres-settings.txt"
}

escape() {
    sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'
}

# A heading and a file, where there is one.
section() {
    [ -s "$folder/$2" ] || return 0
    printf '<h2>%s</h2>\n' "$1"
    case "$2" in
        *.svg) printf '<p><a href="%s">in full</a>, to zoom and search</p><img src="%s" alt="">\n' "$2" "$2" ;;
        *.gz | *.prom | *.json) printf '<p><a href="%s">%s</a></p>\n' "$2" "$2" ;;
        *) printf '<pre>%s</pre>\n' "$(escape <"$folder/$2")" ;;
    esac
}

index() {
    {
        printf '<!doctype html><html lang="en"><meta charset="utf-8"><title>Jeday: %s</title>\n' "$(basename "$folder")"
        printf '<style>body{font:15px sans-serif;margin:2em}pre{background:#f4f4f4;padding:1em;overflow:auto}'
        printf 'img{max-width:100%%}</style>\n<h1>%s, %s virtual users, %s</h1>\n' "$scenario" "$vus" "$duration"
        section 'Where' machine.txt
        section 'Left out' skipped.txt
        section 'The load, as k6 saw it' k6.txt
        section 'CPU time of the server' cpu.svg
        section 'The same for go tool pprof' cpu.pb.gz
        section 'CPU time with the kernel, by perf' perf-cpu.txt
        section 'Counters, by perf' perf-stat.txt
        section 'System calls, by perf' perf-syscalls.txt
        section 'Off the CPU: microseconds by thread, by bpftrace' off-cpu.txt
        section 'System calls by number: how many and how long, by bpftrace' syscalls.txt
        section 'Statements, since the load began' statements.txt
        section 'What PostgreSQL waited for: sessions at work, twenty samples a second' wait-events.txt
        section 'WAL' wal.txt
        section 'PostgreSQL settings that are not its own' postgres-settings.txt
        section 'Metrics before' metrics-before.prom
        section 'Metrics after' metrics-after.prom
        section 'Summary of k6' k6.json
        section 'Log of the server' server.log
    } >"$folder/index.html"
}

machine() {
    "$jeday" --version
    uname --kernel-release --machine
    sed -n 's/^model name\s*: //p' /proc/cpuinfo | uniq --count
    printf 'commit %s\n' "$(git describe --always --dirty 2>/dev/null || echo unknown)"
}

profile() {
    [ -x "$k6" ] || { echo "no k6 at $k6: make k6" >&2; exit 1; }
    folder=profiles/$(date +%Y-%m-%d-%H%M%S)-$scenario
    mkdir -p "$folder"
    machine >"$folder/machine.txt"
    [ -d "$scratch/postgres" ] || reset
    log=$folder/server.log
    start_server
    prepare_postgres
    curl --silent --fail --output "$folder/metrics-before.prom" "$metrics_url"

    K6_NO_USAGE_REPORT=true BASE_URL=$base_url VUS=$vus DURATION=$duration SUMMARY=$folder/k6.json \
        "$k6" run --quiet --no-color "k6/$scenario.js" >"$folder/k6.txt" 2>&1 &
    load=$!
    children+=("$load")
    sleep "$warm_up_s"

    wait_events &
    children+=("$!")
    svg_and_pprof
    if [ "$mode" = full ]; then
        perf_cpu
        perf_counts &
        children+=("$!")
        perf_syscalls
        bpf_off_cpu &
        children+=("$!")
        bpf_syscalls
    fi
    wait "$load" || skip 'a threshold of k6' 'broken, as its summary says'
    for child in "${children[@]}"; do
        wait "$child" || true
    done
    children=()
    curl --silent --fail --output "$folder/metrics-after.prom" "$metrics_url"
    perf_report
    postgres_results
    index
    echo "$folder/index.html"
}

[ "$mode" = profile ] || reset
[ "$mode" = reset ] || profile
