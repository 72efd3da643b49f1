//! A real PgBouncer in front of a cluster; its pool has one connection, so that clients have to share it.
#![allow(dead_code, clippy::unwrap_used)]

use super::postgres::{Running, TestCluster};
use std::{
    fs,
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

/// Ended on drop.
pub(crate) struct Pooler {
    port: u16,
    _running: Running,
}

impl Pooler {
    /// Starts one in a mode of its own words: session, transaction, statement.
    pub(crate) fn start(cluster: &TestCluster, mode: &str) -> Pooler {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = cluster.socket_directory().join(format!("pgbouncer-{port}.ini"));
        // With auth_type any, the server is spoken to as the user named here.
        let text = format!(
            "[databases]\n* = user=postgres host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\ndefault_pool_size = 1\n\
             max_client_conn = 20\n[users]\n",
            cluster.socket_directory().display(),
            cluster.port()
        );
        fs::write(&file, text).unwrap();
        let mut running = Running::start(cluster.as_owner("pgbouncer").arg(&file));
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Pooler { port, _running: running };
            }
            if let Some(errors) = running.errors_if_ended() {
                panic!("pgbouncer ended: {errors}");
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("pgbouncer does not listen");
    }

    /// The connection string of a database behind it.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}
