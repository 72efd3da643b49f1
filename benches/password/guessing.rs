//! Whether others are served while somebody guesses passwords as fast as they can.

use crate::{
    accounts::Accounts,
    bench::Bench,
    clients::{self, Repeating},
    load::{self, Load},
    serving::{askers, refreshers},
    support::{
        Outcome,
        usage::{Meter, Usage},
    },
    tally::Summary,
};
use serde::Serialize;
use std::{
    thread::{self, ScopedJoinHandle},
    time::Duration,
};

const GUESSERS: usize = 500;

/// Connections of others: as many ask who they are as refresh.
const OTHERS_OF_EACH: usize = 4;

/// Each of them asks this often: they are people's, and not the load.
const PACE: Duration = Duration::from_millis(10);

/// Guessing goes on for this long before others come, and after.
const AROUND: Duration = Duration::from_secs(1);

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Guessing {
    /// Whether failed logins are limited.
    pub(crate) limited: bool,
    pub(crate) guesses: Summary,
    pub(crate) me: Summary,
    pub(crate) refresh: Summary,
    pub(crate) usage: Usage,
}

impl Guessing {
    pub(crate) fn name(&self) -> &'static str {
        if self.limited { "guesses, limited" } else { "guesses, unlimited" }
    }

    /// Guesses that cost a hash.
    pub(crate) fn hashed_per_s(&self) -> f64 {
        self.guesses.with(401).map_or(0.0, |wrong| wrong.per_s)
    }

    pub(crate) fn guesses_per_s(&self) -> f64 {
        self.guesses.answers.iter().map(|answered| answered.per_s).sum()
    }
}

pub(crate) fn measure(bench: &Bench<'_>, accounts: &Accounts, limited: bool) -> Outcome<Guessing> {
    let unlimited = ["account", "address"].map(|whose| format!("limits.login_failures_per_{whose}=0"));
    let (mut server, _) = bench.setup.start_with(if limited { &[] } else { &unlimited })?;
    let address = server.address;
    let sessions = accounts.sessions(address, 2 * OTHERS_OF_EACH)?;
    let (some, rest) = sessions.split_at(OTHERS_OF_EACH);
    let (mut mes, mut refreshes) = (askers(address, some), refreshers(address, rest));
    let mut guessers: Vec<Repeating> = (0..GUESSERS)
        .map(|number| {
            let person = &accounts.people[number % accounts.people.len()];
            Repeating::new(vec![clients::guess(address, person)], &[401, 429, 503])
        })
        .collect();
    let guessing = Load { server: address, length: bench.length() + 2 * AROUND, pace: None };
    let others = Load { server: address, length: bench.length(), pace: Some(PACE) };
    let meter = Meter::start(server.pid(), bench.cluster.postmaster())?;
    let (guesses, me, refresh) = thread::scope(|scope| {
        let guesses = scope.spawn(|| load::run(&guessing, &mut guessers));
        thread::sleep(AROUND);
        let me = scope.spawn(|| load::run(&others, &mut mes));
        let refresh = scope.spawn(|| load::run(&others, &mut refreshes));
        (joined(guesses), joined(me), joined(refresh))
    });
    let (guesses, me, refresh, usage) = (guesses?, me?, refresh?, meter.read()?);
    server.check()?;
    server.stop()?;
    Ok(Guessing { limited, guesses, me, refresh, usage })
}

fn joined(thread: ScopedJoinHandle<'_, Outcome<Summary>>) -> Outcome<Summary> {
    thread.join().unwrap_or_else(|_| Err("a generator panicked".into()))
}
