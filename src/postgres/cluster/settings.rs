//! The cluster's settings and who may connect: files that are written anew at each start, outside the data directory,
//! where PostgreSQL's own user cannot change them. What the operator wants otherwise goes into `custom.conf`.

use super::{DATABASE, SUPERUSER, USER, account::Account};

/// What the settings depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    pub max_connections: u32,
    pub shared_buffers_mib: u32,
}

/// For `jeday migrate`, `psql`, a backup and what PostgreSQL keeps for its superuser, beside the server's own.
pub const SPARE_CONNECTIONS: u32 = 13;

/// A quarter of the memory, as PostgreSQL's manual advises; at least its default, and at most what still starts at
/// once: above 2 GiB setting up the buffers takes longer than everything else at start.
pub fn shared_buffers_mib_for(memory_bytes: u64) -> u32 {
    let quarter = memory_bytes / 4 / (1 << 20);
    u32::try_from(quarter.clamp(128, 2048)).expect("at most 2048")
}

/// `jeday.conf`.
pub(super) fn server(sizes: Sizes) -> String {
    let connections = sizes.max_connections + SPARE_CONNECTIONS;
    let buffers = sizes.shared_buffers_mib;
    format!(
        "\
# Written by jeday at each start: changes here are lost. Settings of your own go into custom.conf beside this file.

# Only the Unix socket: nobody reaches this database over a network.
listen_addresses = ''
unix_socket_permissions = 0700
port = 5432
ssl = off
cluster_name = 'jeday'

# As many as jeday opens, and some for people and tools.
max_connections = {connections}

# Durability: what jeday has confirmed survives a crash of anything but the disk.
fsync = on
synchronous_commit = on
full_page_writes = on

# Indexes on random keys want to be in memory.
shared_buffers = {buffers}MB
# Bursts of commits write whole segments' worth at once.
wal_buffers = 16MB
# After a checkpoint every page touched is logged whole: under load, let checkpoints be minutes apart and spread out.
# The price is the time it takes to replay that much after a crash.
max_wal_size = 4GB
min_wal_size = 256MB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9

# Statements are short and known: neither compiling nor parallel workers pay, and both would take cores from jeday.
jit = off
max_parallel_workers_per_gather = 0
# Solid-state disks.
random_page_cost = 1.1
# The queue of passwords to harden lives from being cleaned up often; a minute is too long.
autovacuum_naptime = 10s

# No secret and no personal data in the log: statements are not quoted, and details, which quote rows, are left out.
logging_collector = off
log_destination = 'stderr'
log_line_prefix = '%m [%p] '
log_timezone = 'UTC'
log_statement = 'none'
log_min_error_statement = panic
log_error_verbosity = terse
log_checkpoints = off
log_autovacuum_min_duration = -1

timezone = 'UTC'
datestyle = 'ISO, YMD'
lc_messages = 'C'
lc_monetary = 'C'
lc_numeric = 'C'
lc_time = 'C'
default_text_search_config = 'pg_catalog.simple'

include_if_exists 'custom.conf'
"
    )
}

/// `pg_hba.conf`.
pub(super) fn access() -> String {
    "\
# Written by jeday at each start: changes here are lost.
# The kernel tells PostgreSQL who is at the other end of the socket; pg_ident.conf says who that may be.
local all         all peer map=jeday
local replication all peer map=jeday
"
    .to_owned()
}

/// `pg_ident.conf`.
pub(super) fn identities(account: &Account) -> String {
    let mut text = "# Written by jeday at each start: changes here are lost.\n".to_owned();
    for visitor in account.visitors() {
        for role in [USER, SUPERUSER] {
            text += &format!("jeday \"{visitor}\" {role}\n");
        }
    }
    text
}

/// Run once, in single-user mode: one statement a line. Jeday itself does not work as a superuser, which could read and
/// run files; it may look at the server's statistics.
pub(super) fn first_statements() -> String {
    format!(
        "CREATE ROLE {USER} LOGIN\n\
         GRANT pg_monitor TO {USER}\n\
         CREATE DATABASE {DATABASE} OWNER {USER}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_follow_memory_within_bounds() {
        let gib = |n: u64| n << 30;
        let sizes: Vec<_> = [0, gib(1), gib(4), gib(64)].into_iter().map(shared_buffers_mib_for).collect();
        assert_eq!(sizes, [128, 256, 1024, 2048]);
    }

    #[test]
    fn only_the_account_and_root_where_it_is_another_may_enter() {
        let mut account = Account { name: "postgres".to_owned(), uid: 101, gid: 104, switch: true };
        assert!(identities(&account).contains("jeday \"root\" jeday\n"));
        account.switch = false;
        assert!(!identities(&account).contains("root"));
        assert!(identities(&account).contains("jeday \"postgres\" jeday\n"));
    }

    #[test]
    fn confirmed_means_durable() {
        let text = server(Sizes { max_connections: 8, shared_buffers_mib: 128 });
        for setting in ["fsync = on", "synchronous_commit = on", "full_page_writes = on", "max_connections = 21"] {
            assert!(text.lines().any(|line| line == setting), "{setting}");
        }
    }
}
