//! What all scenarios have in common: the database, the server's setup, and where passwords are hashed.

use crate::{
    options::Options,
    raw::{self, Raw},
    support::{
        Outcome,
        client::Console,
        cluster::Cluster,
        scrape,
        server::{Server, Setup},
    },
};
use serde::Serialize;
use std::time::Duration;

/// One run of the benchmark.
pub(crate) struct Bench<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) console: &'a Console,
    pub(crate) setup: &'a Setup,
    pub(crate) options: &'a Options,
    pub(crate) placement: Placement,
}

/// Where the server hashes, and with what, as it says itself.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Placement {
    pub(crate) engine: String,
    /// CPUs of password cores.
    pub(crate) cpus: Vec<usize>,
}

impl Placement {
    /// Asks a server that is then stopped.
    pub(crate) fn find(setup: &Setup) -> Outcome<Placement> {
        let (server, _) = setup.start()?;
        let placement = Placement::of(&server)?;
        server.stop()?;
        Ok(placement)
    }

    fn of(server: &Server) -> Outcome<Placement> {
        let page = server.metrics()?;
        let engines = scrape::values(&page, "jeday_password_engine_info", "engine");
        let cpus = scrape::values(&page, "jeday_password_hashes_total", "cpu");
        let mut cpus: Vec<usize> = cpus.iter().map(|cpu| cpu.parse()).collect::<Result<_, _>>()?;
        cpus.sort_unstable();
        match engines.into_iter().next() {
            Some(engine) if !cpus.is_empty() => Ok(Placement { engine, cpus }),
            _ => Err("/metrics does not say where and how passwords are hashed".into()),
        }
    }
}

impl Bench<'_> {
    /// How long a point is loaded.
    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs(self.options.measuring.seconds)
    }

    /// The limit, measured next to what it is the limit of.
    pub(crate) fn raw(&self) -> Outcome<Raw> {
        raw::measure(self.options, &self.placement.cpus, self.length() / 2)
    }
}
