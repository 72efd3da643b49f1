//! Users to be stored: unique, as long as people's are, and in no order, so that an index takes each in another place.
//! The wrk script makes its users from the same words in the same way.

use super::Outcome;
use jeday::{
    account::{Bucket, Email, Password, PasswordPolicy, RoutingKey, UserId, Username},
    hardening::{Peppers, Random, Salt},
    keys,
    postgres::statements::register::{NewUser, Register},
    postgres::statements::{BatchedStatement, Sent},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) const FIRST_NAMES: &[&str] = &[
    "Mary",
    "Wei",
    "Mohammed",
    "Sofia",
    "Ivan",
    "Aisha",
    "Jose",
    "Yuki",
    "Anna",
    "Raj",
    "Fatima",
    "Lars",
    "Chidi",
    "Elena",
    "Tom",
    "Priya",
    "Juan",
    "Hana",
    "Peter",
    "Olga",
    "Ali",
    "Maria",
    "Kofi",
    "Christopher",
    "Ines",
];
pub(crate) const LAST_NAMES: &[&str] = &[
    "Smith",
    "Wang",
    "Garcia",
    "Kim",
    "Ivanova",
    "Singh",
    "Silva",
    "Tanaka",
    "Mueller",
    "Nguyen",
    "Okafor",
    "Rossi",
    "Lee",
    "Andersson",
    "Khan",
    "Novak",
    "Jones",
    "Papadopoulos",
    "Cohen",
    "Dubois",
    "Ali",
    "Kowalski",
    "Costa",
];
pub(crate) const DOMAINS: &[&str] = &["example.com", "mail.example.org", "example.net", "post.example"];

/// Numbers below this go round once in steps of [`TOKEN_STEP`], which shares no factor with it (2 and 3) and is this
/// times the golden ratio's part below one: each lands far from those before it. Six digits to the base of 36.
pub(crate) const TOKENS: u64 = 36u64.pow(6);
pub(crate) const TOKEN_STEP: u64 = 1_345_325_431;

const _: () = assert!(!TOKEN_STEP.is_multiple_of(2) && !TOKEN_STEP.is_multiple_of(3));

/// Makes users.
pub(crate) struct Users {
    peppers: Peppers,
    routing_key: RoutingKey,
    policy: PasswordPolicy,
    random: Random,
    made: u64,
    tag: String,
    age: Duration,
}

/// What somebody registers with.
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) username: String,
    pub(crate) password: String,
}

impl Person {
    /// The same for the same number and tag.
    pub(crate) fn new(number: u64, tag: &str) -> Person {
        let pick = |words: &[&'static str], at: u64| words[(at % words.len() as u64) as usize];
        let token = base36(number.wrapping_mul(TOKEN_STEP) % TOKENS);
        let (first, last) = (pick(FIRST_NAMES, number), pick(LAST_NAMES, number / FIRST_NAMES.len() as u64));
        Person {
            email: format!("{first}.{last}{token}{tag}@{}", pick(DOMAINS, number)),
            username: format!("{first} {last}"),
            password: format!("{token}-Vq7#m"),
        }
    }
}

impl Users {
    /// `tag` tells this maker's users from those of others that store into the same table.
    pub(crate) fn new(tag: &str) -> Outcome<Users> {
        let keys = keys::generate(jiff::Timestamp::now())?;
        Ok(Users {
            peppers: Peppers::new(&keys)?,
            routing_key: RoutingKey::new(&[7; 32]),
            policy: PasswordPolicy::default(),
            random: Random::new()?,
            made: 0,
            tag: tag.to_owned(),
            age: Duration::ZERO,
        })
    }

    /// The same users, registered this long ago.
    pub(crate) fn aged(self, age: Duration) -> Users {
        Users { age, ..self }
    }

    /// Batches of `size` users, each sorted as the server sorts.
    pub(crate) fn batches(&mut self, count: usize, size: usize) -> Outcome<Vec<Vec<NewUser>>> {
        let mut batches = Vec::with_capacity(count);
        for _ in 0..count {
            let mut batch = Vec::with_capacity(size);
            for _ in 0..size {
                batch.push(self.user()?);
            }
            batch.sort_unstable_by(Register::lock_order);
            batches.push(batch);
        }
        Ok(batches)
    }

    fn user(&mut self) -> Outcome<NewUser> {
        let person = Person::new(self.made, &self.tag);
        self.made += 1;
        let email = Email::parse(&person.email)?;
        let password = Password::parse(person.password.into(), &self.policy)?;
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH)?.saturating_sub(self.age);
        let unix_ms = u64::try_from(since_1970.as_millis())?;
        Ok(NewUser {
            id: UserId::new(unix_ms, Bucket::of(&self.routing_key, &email), self.random.bytes()?),
            username: Username::parse(&person.username)?,
            weak: self.peppers.newest().record(Salt::new(self.random.bytes()?), &password),
            email,
        })
    }
}

/// A batch as statements take it.
pub(crate) fn sent(batch: &[NewUser]) -> Vec<Sent<'_, NewUser>> {
    batch.iter().enumerate().map(|(place, item)| Sent { place, item, uncertain: false }).collect()
}

/// Six digits.
fn base36(mut number: u64) -> String {
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize];
        number /= 36;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}
