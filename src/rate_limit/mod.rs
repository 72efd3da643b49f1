//! Limits on guessing, held in memory and shared by all shards: wrong passwords for an account and from an address, and
//! registrations from an address; and on the connections that an address has open. Never keeps an email or an address,
//! reads no clock, asks no other server.
//!
//! An attempt is counted before its password is checked, and a right one is taken back afterwards: however many guesses
//! run at once, over however many shards, of N allowed wrong ones exactly N get through. Whoever has used them up gets
//! one more after a delay, which doubles each time, and one failure is forgotten after the other.
//!
//! What holds exactly
//! - Counts are per process. Behind a balancer with M servers, M times as many guesses get through.
//! - An attempt under way counts as a wrong one until it ends. Where nobody was wrong lately, N right logins of one
//!   account, or from one address, may run at once; one more is refused for a second.
//! - A right password forgets the wrong ones for its account, those under way with it too, but takes only itself back
//!   from its address: who has one account of his own must not guess at others' for ever.
//! - An address that an account has logged in from lately has a count of its own for that account, and neither the
//!   account's nor the address's holds it up. Whoever guesses at somebody else's account from elsewhere cannot keep him
//!   out of where he is used to log in from. (A user at a new address can be delayed for as long as the guessing goes
//!   on, and so can one who shares an address with the guesser.)
//! - Tables have a fixed size. A new key takes the cell of the key in its set that matters least: the one with the
//!   fewest failures, among those the oldest. To get rid of a count of n somebody has to bring six others of that set
//!   above n, and because sets are chosen by a hash under a random key, that means nearly all sets: hundreds of
//!   thousands of guesses, each of which costs a password hash and counts against an address. Waiting is cheaper. Where
//!   an account has logged in from is kept in the set of the account, so that many addresses with one account push out
//!   that account's own.

use crate::limits::{
    LOGIN_ACCOUNT_DELAY_MAX, LOGIN_ACCOUNT_FORGET, LOGIN_ADDRESS_DELAY_MAX, LOGIN_ADDRESS_FORGET, LOGIN_DELAY_FIRST,
    LOGIN_KNOWN_LIFE, LOGIN_KNOWN_SETS_LOG2, RATE_LIMIT_SETS_LOG2, REGISTRATION_PERIOD,
};
use cell::{Rule, Tick, Wait};
use hash::Hasher;
use sets::Key;
use std::net::IpAddr;
use table::Table;

mod cell;
mod connections;
mod hash;
mod sets;
mod table;

pub use connections::{ConnectionLimit, OpenConnection};
pub use hash::{HASH_KEY_BYTES, network};

/// How much is allowed. 0 sets no limit; more than 10,000 count as 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Wrong passwords for one account that are answered at once.
    pub login_failures_per_account: usize,
    /// Wrong passwords from one address, in IPv6 one /64, that are answered at once.
    pub login_failures_per_address: usize,
    /// Registrations from one address, in IPv6 one /64: so many at once, and as many again in an hour.
    pub registrations_per_address: usize,
}

/// Which limit refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Wrong passwords for one account.
    LoginAccount,
    /// Wrong passwords from one address.
    LoginAddress,
    /// Registrations from one address.
    RegistrationAddress,
}

impl Limit {
    /// The name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoginAccount => "login_account",
            Self::LoginAddress => "login_address",
            Self::RegistrationAddress => "registration_address",
        }
    }
}

/// Too many: the next is admitted later (429 with `Retry-After`, RFC 6585 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts ({}), the next in {seconds} s", limit.name())]
pub struct RetryAfter {
    /// From now, rounded up, at least 1.
    pub seconds: u64,
    /// Which limit refuses.
    pub limit: Limit,
}

impl RetryAfter {
    fn by(limit: Limit) -> impl Fn(Wait) -> Self + Copy {
        move |wait| Self { seconds: wait.seconds(), limit }
    }
}

/// The limits of a process; share it by `Arc`.
pub struct RateLimiter {
    hasher: Hasher,
    accounts: Option<Table>,
    addresses: Option<Table>,
    registrations: Option<Table>,
    /// Addresses that an account has logged in from lately.
    known: Table,
    /// Failures of those, in the place of their account's.
    known_failures: Option<Table>,
}

impl RateLimiter {
    /// The same with a key drawn from the system.
    ///
    /// # Errors
    /// When the system has no random bytes to give.
    pub fn keyed_at_random(limits: RateLimits) -> Result<Self, getrandom::Error> {
        let mut hash_key = [0; HASH_KEY_BYTES];
        getrandom::fill(&mut hash_key)?;
        Ok(Self::new(limits, &hash_key))
    }

    /// Empty tables, a few MiB. `hash_key` is random and made for this process: who knows it can choose whose count his
    /// guesses push out.
    pub fn new(limits: RateLimits, hash_key: &[u8; HASH_KEY_BYTES]) -> Self {
        let table = |free: usize, rule: Rule| (free > 0).then(|| Table::new(RATE_LIMIT_SETS_LOG2, rule));
        let RateLimits {
            login_failures_per_account: per_account,
            login_failures_per_address: per_address,
            registrations_per_address: registrations,
        } = limits;
        let account = Rule::growing(per_account, LOGIN_ACCOUNT_FORGET, LOGIN_DELAY_FIRST, LOGIN_ACCOUNT_DELAY_MAX);
        let address = Rule::growing(per_address, LOGIN_ADDRESS_FORGET, LOGIN_DELAY_FIRST, LOGIN_ADDRESS_DELAY_MAX);
        let refill = REGISTRATION_PERIOD / u32::try_from(registrations.max(1)).unwrap_or(u32::MAX);
        Self {
            hasher: Hasher::new(hash_key),
            accounts: table(per_account, account),
            addresses: table(per_address, address),
            registrations: table(registrations, Rule::bucket(registrations, refill)),
            known: Table::new(LOGIN_KNOWN_SETS_LOG2, Rule::bucket(1, LOGIN_KNOWN_LIFE)),
            known_failures: table(per_account, account),
        }
    }

    /// Counts an attempt to log in, before its password is checked. `account` is the normalised email, whether or not
    /// there is such an account; `now_ms` is a time that only goes forward, the same for all shards.
    ///
    /// # Errors
    /// [`RetryAfter`]: the password must not be checked. Nothing is counted then.
    pub fn login(&self, account: &[u8], address: IpAddr, now_ms: u64) -> Result<Attempt<'_>, RetryAfter> {
        let now = Tick::of_ms(now_ms);
        let account_hash = self.hasher.account(account);
        let known_key = Key::new(account_hash, self.hasher.account_at(account, address));
        let (account, address) = match self.known.remembers(known_key, now) {
            true => (Counted::by(&self.known_failures, known_key), None),
            false => {
                let address_hash = self.hasher.address(address);
                (
                    Counted::by(&self.accounts, Key::new(account_hash, account_hash)),
                    Counted::by(&self.addresses, Key::new(address_hash, address_hash)),
                )
            }
        };
        let by_account = RetryAfter::by(Limit::LoginAccount);
        let by_address = RetryAfter::by(Limit::LoginAddress);
        // What is refused in the end must leave no trace: a count that is taken back has restarted its delay all the
        // same, so that attempts at one account, or from one address, would hold up the others.
        if let Some(account) = account {
            account.table.check(account.key, now).map_err(by_account)?;
        }
        let mut attempt = Attempt { limiter: self, account: None, address: None, known_key, now };
        if let Some(address) = address {
            address.table.reserve(address.key, now).map_err(by_address)?;
            attempt.address = Some(address);
        }
        if let Some(account) = account {
            account.table.reserve(account.key, now).map_err(by_account)?;
            attempt.account = Some(account);
        }
        Ok(attempt)
    }

    /// Counts a registration, whatever becomes of it.
    ///
    /// # Errors
    /// [`RetryAfter`]: there were too many. This one is not counted then.
    pub fn register(&self, address: IpAddr, now_ms: u64) -> Result<(), RetryAfter> {
        let Some(table) = &self.registrations else { return Ok(()) };
        let hash = self.hasher.address(address);
        table.reserve(Key::new(hash, hash), Tick::of_ms(now_ms)).map_err(RetryAfter::by(Limit::RegistrationAddress))
    }
}

#[derive(Clone, Copy)]
struct Counted<'a> {
    table: &'a Table,
    key: Key,
}

impl<'a> Counted<'a> {
    fn by(table: &'a Option<Table>, key: Key) -> Option<Self> {
        table.as_ref().map(|table| Self { table, key })
    }
}

/// An attempt to log in that was admitted and counted. Dropped without a word on how it ended, because the client has
/// gone or no password core was free, it was none.
#[must_use = "an attempt that is dropped is not counted"]
pub struct Attempt<'a> {
    limiter: &'a RateLimiter,
    account: Option<Counted<'a>>,
    address: Option<Counted<'a>>,
    known_key: Key,
    now: Tick,
}

impl Attempt<'_> {
    /// The password was wrong, or there is no such account: it stays counted.
    pub fn failed(mut self) {
        (self.account, self.address) = (None, None);
    }

    /// The password was right: the account's failures are forgotten, this attempt is taken back from the address, and
    /// the address is known for this account from now on.
    pub fn succeeded(mut self) {
        if let Some(account) = self.account.take() {
            account.table.clear(account.key);
        }
        self.limiter.known.remember(self.known_key, self.now);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        for counted in [self.account, self.address].into_iter().flatten() {
            counted.table.refund(counted.key);
        }
    }
}

#[cfg(test)]
mod tests;
