//! What sessions ask for all the time: who am I, and new tokens. Beside an answer that needs no database.

use crate::{
    accounts::Accounts,
    bench::Bench,
    clients::{Refreshing, Repeating, Tokens, get},
    load::{self, Load},
    support::{
        Outcome,
        server::Server,
        usage::{Meter, Usage},
    },
    tally::Summary,
};
use serde::Serialize;
use std::net::SocketAddr;

const CONNECTIONS: usize = 64;

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Serving {
    pub(crate) health: Summary,
    pub(crate) me: Summary,
    pub(crate) refresh: Summary,
    /// From one connection alone.
    pub(crate) me_alone: Summary,
    pub(crate) refresh_alone: Summary,
    pub(crate) usage: Usage,
}

impl Serving {
    pub(crate) fn me_ratio(&self) -> Option<f64> {
        Some(self.me.ok()?.per_s / self.health.ok()?.per_s)
    }

    pub(crate) fn summaries(&self) -> [(&'static str, &Summary); 5] {
        [
            ("health, 64 connections", &self.health),
            ("me, 64 connections", &self.me),
            ("refresh, 64 connections", &self.refresh),
            ("me, 1 connection", &self.me_alone),
            ("refresh, 1 connection", &self.refresh_alone),
        ]
    }
}

pub(crate) fn measure(bench: &Bench<'_>, server: &mut Server, accounts: &Accounts, number: u32) -> Outcome<Serving> {
    let address = server.address;
    let sessions = accounts.sessions(address, CONNECTIONS)?;
    let load = Load { server: address, length: bench.length(), pace: None };
    let meter = Meter::start(server.pid(), bench.cluster.postmaster())?;
    let mut healths: Vec<Repeating> =
        (0..CONNECTIONS).map(|_| Repeating::new(vec![get(address, "/health", None)], &[200])).collect();
    let (mut mes, mut refreshes) = (askers(address, &sessions), refreshers(address, &sessions));
    let (health, me);
    // They are compared, so neither is always first.
    if number.is_multiple_of(2) {
        me = load::run(&load, &mut mes)?;
        health = load::run(&load, &mut healths)?;
    } else {
        health = load::run(&load, &mut healths)?;
        me = load::run(&load, &mut mes)?;
    }
    let refresh = load::run(&load, &mut refreshes)?;
    let alone = Load { length: load.length / 2, ..load };
    let me_alone = load::run(&alone, &mut mes[..1])?;
    let refresh_alone = load::run(&alone, &mut refreshes[..1])?;
    server.check()?;
    Ok(Serving { health, me, refresh, me_alone, refresh_alone, usage: meter.read()? })
}

/// One client a session that asks who it is.
pub(crate) fn askers(server: SocketAddr, sessions: &[Tokens]) -> Vec<Repeating> {
    let request = |tokens: &Tokens| get(server, "/auth/me", Some(&tokens.access_token));
    sessions.iter().map(|tokens| Repeating::new(vec![request(tokens)], &[200])).collect()
}

/// One client a session that refreshes it.
pub(crate) fn refreshers(server: SocketAddr, sessions: &[Tokens]) -> Vec<Refreshing> {
    sessions.iter().map(|tokens| Refreshing::new(server, &tokens.refresh_token)).collect()
}
