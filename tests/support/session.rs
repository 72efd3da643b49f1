//! A database session that a test holds open, as to lock a table while requests pile up behind it.
#![allow(dead_code, clippy::unwrap_used)]

use super::postgres::TestCluster;
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

/// A psql that takes statements one after the other; its transaction ends with it.
pub(crate) struct Session {
    psql: Child,
    statements: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Session {
    /// As superuser.
    pub(crate) fn open(cluster: &TestCluster, database: &str) -> Session {
        let mut psql = cluster.as_owner("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &cluster.url(database)]);
        let mut psql = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (statements, answers) = (psql.stdin.take().unwrap(), BufReader::new(psql.stdout.take().unwrap()));
        Session { psql, statements, answers }
    }

    /// Runs statements and returns what they print.
    pub(crate) fn run(&mut self, text: &str) -> String {
        const END: &str = "-- done --";
        writeln!(self.statements, "{text};\n\\echo {END}").unwrap();
        let mut printed = String::new();
        loop {
            let mut line = String::new();
            assert!(self.answers.read_line(&mut line).unwrap() > 0, "psql ended: {printed}");
            if line.trim_end() == END {
                return printed.trim_end().to_owned();
            }
            printed.push_str(&line);
        }
    }

    /// Keeps every registration from committing until [`Session::release`].
    pub(crate) fn hold_registrations(&mut self) {
        self.run("BEGIN; LOCK TABLE users IN SHARE MODE");
    }

    /// Ends the transaction.
    pub(crate) fn release(&mut self) {
        self.run("COMMIT");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.psql.kill();
        let _ = self.psql.wait();
    }
}
