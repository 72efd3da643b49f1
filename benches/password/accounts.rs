//! Users that exist, with hardened passwords, and sessions of theirs: what scenarios start from.

use crate::{
    clients::{self, Repeating, Tokens},
    load::{self, Load},
    support::{Outcome, client::Console, server::Server, users::Person},
};
use std::{net::SocketAddr, time::Duration};

/// So many that no two logins at a time are of the same user, and a run adds few sessions to each.
pub(crate) const ACCOUNTS: usize = 256;

/// Long enough for every machine to log all of them in.
const PREPARED_MAX: Duration = Duration::from_secs(120);

/// Logins at a time: fewer than one address may have waiting, even when one shard gets them all.
const LOGINS_AT_ONCE: usize = 8;

/// Users who are stored and can log in.
pub(crate) struct Accounts {
    pub(crate) people: Vec<Person>,
}

impl Accounts {
    /// Registers everybody, into empty tables, and logs everybody in once, which hardens their passwords.
    pub(crate) fn prepare(console: &Console, server: &Server) -> Outcome<Accounts> {
        let people: Vec<Person> = (0..ACCOUNTS as u64).map(|number| Person::new(number, "a")).collect();
        let address = server.address;
        let registrations = people.iter().map(|person| clients::registration(address, person)).collect();
        all(address, registrations, &[201])?;
        all(address, people.iter().map(|person| clients::login(address, person)).collect(), &[200])?;
        let accounts = Accounts { people };
        accounts.await_hardened(console)?;
        Ok(accounts)
    }

    /// Logs some in, for sessions.
    pub(crate) fn sessions(&self, server: SocketAddr, count: usize) -> Outcome<Vec<Tokens>> {
        let logins = self.people.iter().cycle().take(count).map(|person| clients::login(server, person)).collect();
        all(server, logins, &[200])?.iter().map(|body| clients::tokens(body)).collect()
    }

    /// A login's better record is written after its answer.
    fn await_hardened(&self, console: &Console) -> Outcome<()> {
        for _ in 0..100 {
            if hardened(console)? == self.people.len() as u64 {
                return Ok(());
            }
            crate::support::interrupt::pause(Duration::from_millis(100))?;
        }
        Err(format!("{} of {} passwords are hardened after a login of each", hardened(console)?, self.people.len())
            .into())
    }
}

/// Users whose password is hardened.
pub(crate) fn hardened(console: &Console) -> Outcome<u64> {
    console.number("SELECT count(*) FROM users WHERE starts_with(password_hash, '$argon2id$')")
}

/// Makes each request once, a few at a time, and gives the answers.
fn all(server: SocketAddr, requests: Vec<Vec<u8>>, right: &'static [u16]) -> Outcome<Vec<String>> {
    let share = requests.len().div_ceil(LOGINS_AT_ONCE);
    let mut clients: Vec<Repeating> =
        requests.chunks(share).map(|requests| Repeating::new(requests.to_vec(), right).once()).collect();
    let summary = load::run(&Load { server, length: PREPARED_MAX, pace: None }, &mut clients)?;
    let mut bodies = Vec::with_capacity(requests.len());
    for client in clients {
        let some = client.bodies();
        bodies.extend(some.ok_or_else(|| format!("cannot prepare users: {:?}", summary.faults("preparation")))?);
    }
    Ok(bodies)
}
