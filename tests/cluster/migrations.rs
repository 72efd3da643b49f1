//! The migrations on a real database: one database a test, in a cluster that the tests running at a time share.

use crate::support::{Door, start, state};
use jeday::postgres::{
    cluster::Cluster,
    migrate::{self, MigrateError, SchemaProblem, required_version},
};
use std::{
    fs,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};
use tempfile::TempDir;

struct Shared {
    cluster: Cluster,
    _state: TempDir,
}

/// The last test to let go of it stops it.
static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
static DATABASES: AtomicU32 = AtomicU32::new(0);

struct Database {
    door: Door,
    shared: Arc<Shared>,
}

impl Database {
    fn new() -> Database {
        let mut slot = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = slot.upgrade().unwrap_or_else(|| {
            let state = state();
            Arc::new(Shared { cluster: start(state.path()), _state: state })
        });
        *slot = Arc::downgrade(&shared);
        let mut door = Door::of(&shared.cluster);
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let superuser = Door { user: "postgres".to_owned(), ..door.clone() };
        superuser.session(async |client| {
            client.batch_execute(&format!("CREATE DATABASE {name} OWNER jeday")).await.unwrap();
        });
        door.database = name;
        Database { door, shared }
    }

    fn tables(&self) -> String {
        self.door
            .value("SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'")
    }
}

const ALL: &str = "deployment idempotency_keys password_upgrade_queue schema_migrations sessions users";

#[test]
fn up_down_and_up_again_leave_the_same_tables() {
    let database = Database::new();
    let all = required_version();
    database.door.session(async |client| {
        assert!(matches!(migrate::check(client).await, Err(SchemaProblem::Empty)));
        let status = migrate::status(client).await.unwrap();
        assert_eq!((status.applied.len(), status.pending.len()), (0, all as usize));

        assert_eq!(migrate::up(client, None).await.unwrap().len(), all as usize);
        migrate::check(client).await.unwrap();
        assert!(migrate::up(client, None).await.unwrap().is_empty());
    });
    assert_eq!(database.tables(), ALL);
    database.door.session(async |client| {
        let down = migrate::down(client, 1).await.unwrap();
        assert_eq!(down[0].version, all);
        let error = migrate::check(client).await.unwrap_err();
        assert!(error.to_string().contains("jeday migrate up"), "{error}");
        assert_eq!(migrate::down(client, 99).await.unwrap().len(), all as usize - 1);
        assert!(migrate::down(client, 1).await.unwrap().is_empty());
    });
    assert_eq!(database.tables(), "schema_migrations");
    database.door.session(async |client| {
        assert_eq!(migrate::up(client, Some(1)).await.unwrap().len(), 1);
        let status = migrate::status(client).await.unwrap();
        assert!(status.applied[0].applied_at.is_some() && status.pending.len() == all as usize - 1);
        assert_eq!(migrate::up(client, None).await.unwrap().len(), all as usize - 1);
        assert!(matches!(migrate::up(client, Some(1)).await, Err(MigrateError::Above { asked: 1, .. })));
        assert!(matches!(migrate::up(client, Some(99)).await, Err(MigrateError::NoSuchVersion { asked: 99, .. })));
    });
    assert_eq!(database.tables(), ALL);
}

#[test]
fn the_routing_key_is_made_once_and_differs_between_deployments() {
    let (one, other) = (Database::new(), Database::new());
    let key = |database: &Database| {
        database.door.session(async |client| {
            migrate::up(client, None).await.unwrap();
            migrate::deployment(client).await.unwrap().routing_key
        })
    };
    assert_eq!(key(&one), key(&one));
    assert_ne!(key(&one), key(&other));
}

#[test]
fn ten_nodes_that_start_at_once_apply_each_migration_once() {
    let database = Database::new();
    let door = &database.door;
    let applied: Vec<usize> = thread::scope(|scope| {
        let nodes: Vec<_> = (0..10)
            .map(|_| scope.spawn(|| door.session(async |client| migrate::up(client, None).await.unwrap().len())))
            .collect();
        nodes.into_iter().map(|node| node.join().unwrap()).collect()
    });
    assert_eq!(applied.iter().sum::<usize>(), required_version() as usize, "{applied:?}");
    assert_eq!(door.value("SELECT count(*) FROM schema_migrations"), required_version().to_string());
    assert_eq!(door.value("SELECT count(*) FROM deployment"), "1");
}

#[test]
fn a_database_of_a_newer_version_is_refused_by_every_command() {
    let database = Database::new();
    let newer = required_version() + 1;
    database.door.session(async |client| {
        migrate::up(client, None).await.unwrap();
        let sql = format!("INSERT INTO schema_migrations VALUES ({newer}, '{newer:04}_later', '\\x00', now())");
        client.batch_execute(&sql).await.unwrap();
        let refused =
            |error: &MigrateError| matches!(error, MigrateError::Newer { database, .. } if *database == newer);
        assert!(refused(&migrate::up(client, None).await.unwrap_err()));
        assert!(refused(&migrate::down(client, 1).await.unwrap_err()));
        let problem = migrate::check(client).await.unwrap_err();
        assert!(problem.to_string().contains("use a newer jeday"), "{problem}");
        assert_eq!(migrate::status(client).await.unwrap().unknown.len(), 1);
    });
    assert_eq!(database.tables(), ALL);
}

#[test]
fn a_file_changed_since_it_was_applied_is_refused() {
    let database = Database::new();
    database.door.session(async |client| {
        migrate::up(client, None).await.unwrap();
        client.batch_execute("UPDATE schema_migrations SET checksum = '\\x00' WHERE version = 2").await.unwrap();
        let error = migrate::up(client, None).await.unwrap_err();
        assert!(matches!(&error, MigrateError::Changed(name) if name == "0002_users"), "{error}");
        assert!(migrate::check(client).await.is_err());
        assert_eq!(migrate::status(client).await.unwrap().changed.len(), 1);
    });
}

#[test]
fn a_step_that_fails_leaves_nothing_of_itself_and_keeps_those_before_it() {
    let database = Database::new();
    database.door.session(async |client| {
        client.batch_execute("CREATE TABLE password_upgrade_queue (n int)").await.unwrap();
        let error = migrate::up(client, None).await.unwrap_err();
        assert!(matches!(error, MigrateError::Step { name: "0003_password_upgrade_queue", .. }), "{error}");
        assert!(error.to_string().contains("already exists"), "{error}");
        assert_eq!(migrate::status(client).await.unwrap().applied.len(), 2);
        client.batch_execute("DROP TABLE password_upgrade_queue").await.unwrap();
        migrate::up(client, None).await.unwrap();
    });
}

#[test]
fn another_programs_table_of_the_same_name_is_not_touched() {
    let database = Database::new();
    database.door.session(async |client| {
        client.batch_execute("CREATE TABLE schema_migrations (version bigint, dirty boolean)").await.unwrap();
        assert!(matches!(migrate::up(client, None).await, Err(MigrateError::Foreign)));
        assert!(matches!(migrate::status(client).await, Err(MigrateError::Foreign)));
        assert!(matches!(migrate::check(client).await, Err(SchemaProblem::Unusable(MigrateError::Foreign))));
    });
    assert_eq!(database.tables(), "schema_migrations");
}

#[test]
fn a_lock_held_for_too_long_is_reported_with_its_holder() {
    let database = Database::new();
    let door = &database.door;
    door.session(async |holder| {
        let pid = holder.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get::<_, i32>(0);
        holder.batch_execute("BEGIN; SELECT pg_advisory_xact_lock(x'6a65646179'::bigint)").await.unwrap();
        let error = thread::scope(|scope| {
            let other = scope.spawn(|| {
                door.session(async |client| {
                    migrate::up_waiting(client, None, Duration::from_millis(200)).await.unwrap_err()
                })
            });
            other.join().unwrap()
        });
        assert!(matches!(error, MigrateError::Locked { .. }), "{error}");
        assert!(error.to_string().contains(&format!("process {pid} ")), "{error}");
    });
}

#[test]
fn a_role_that_may_not_create_is_told_so() {
    let database = Database::new();
    let superuser = Door { user: "postgres".to_owned(), ..database.door.clone() };
    superuser.session(async |client| {
        let sql = "REVOKE CREATE ON SCHEMA public FROM PUBLIC, pg_database_owner";
        client.batch_execute(sql).await.unwrap();
    });
    database.door.session(async |client| {
        let error = migrate::up(client, None).await.unwrap_err();
        assert!(matches!(error, MigrateError::Forbidden(_)), "{error}");
    });
}

#[test]
fn migrations_go_through_pgbouncer_in_transaction_mode() {
    let database = Database::new();
    let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|path| fs::exists(path).unwrap());
    let Some(program) = program else {
        eprintln!("skipped: pgbouncer is not installed");
        return;
    };
    // Beside the database's own socket, where the account that both run as may write.
    let cluster = &database.shared.cluster;
    let sockets = cluster.socket_directory();
    let settings = tempfile::NamedTempFile::new().unwrap();
    fs::set_permissions(settings.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let text = format!(
        "[databases]\n* = host={0} port={1}\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\nunix_socket_dir = {0}\n\
         auth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n",
        sockets.display(),
        cluster.port()
    );
    // `any` makes everyone the user given here.
    let text = text.replace("port=5432", "port=5432 user=jeday");
    fs::write(settings.path(), text).unwrap();
    let mut command = Command::new(program);
    command.arg("--quiet").arg(settings.path()).stdin(Stdio::null()).current_dir("/");
    if nix::unistd::Uid::effective().is_root() {
        let owner = fs::metadata(sockets).unwrap();
        use std::os::unix::{fs::MetadataExt, process::CommandExt};
        command.uid(owner.uid()).gid(owner.gid());
    }
    let mut pooler = command.spawn().unwrap();
    let door = Door { socket: sockets.join(".s.PGSQL.6432"), ..database.door.clone() };
    crate::support::wait_until("pgbouncer listens", || std::os::unix::net::UnixStream::connect(&door.socket).is_ok());
    thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| door.session(async |client| migrate::up(client, None).await.unwrap()));
        }
    });
    door.session(async |client| {
        migrate::check(client).await.unwrap();
        migrate::deployment(client).await.unwrap();
        migrate::down(client, 1).await.unwrap();
    });
    pooler.kill().unwrap();
    pooler.wait().unwrap();
}
