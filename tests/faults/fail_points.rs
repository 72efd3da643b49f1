//! Fail points of servers: armed by a test, passed by a server, once.

use crate::{
    eventually,
    support::server::{Deployment, Server},
};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

/// The fail points of one server or more.
pub(crate) struct FailPoints(TempDir);

impl FailPoints {
    pub(crate) fn new() -> FailPoints {
        FailPoints(TempDir::new().unwrap())
    }

    /// A server that passes them.
    pub(crate) fn serve(&self, deployment: &Deployment<'_>, settings: &[&str]) -> Server {
        self.start(deployment, "serve", settings)
    }

    /// A worker that does.
    pub(crate) fn work(&self, deployment: &Deployment<'_>, settings: &[&str]) -> Server {
        self.start(deployment, "worker", settings)
    }

    fn start(&self, deployment: &Deployment<'_>, role: &str, settings: &[&str]) -> Server {
        let settings = settings.iter().flat_map(|text| ["--set", text]);
        let mut command = deployment.jeday([role].into_iter().chain(settings));
        Server::start(command.env("FAIL_POINT_DIRECTORY", self.0.path()))
    }

    /// The next one who passes `point` fails.
    pub(crate) fn arm(&self, point: &str, how: &str) {
        let made = self.0.path().join(format!("{point}.made"));
        fs::write(&made, how).unwrap();
        fs::rename(made, self.path(point)).unwrap();
    }

    /// Waits until somebody has passed it, and fails.
    pub(crate) fn await_failure(&self, point: &str) {
        eventually("the fail point is passed", || !self.path(point).exists());
    }

    fn path(&self, point: &str) -> PathBuf {
        self.0.path().join(point)
    }
}
