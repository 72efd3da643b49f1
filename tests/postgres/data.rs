//! A database with Jeday's tables, its users and sessions, and statements run as a group runs them.

use super::{support::Spec, *};
use jeday::{
    account::{Bucket, SessionId, UserId},
    postgres::{
        migrate,
        statements::{
            BatchedStatement, Sent, rotate_session,
            start_session::{NewSession, StartSession, Started},
        },
    },
};
use sha2::{Digest, Sha256};
use std::{
    cell::Cell,
    time::{SystemTime, UNIX_EPOCH},
};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Records of one password: its salt stays when it is hardened.
pub(crate) const WEAK: &str = "$hmac-sha256$k=0123456789ab$c2FsdHNhbHRzYWx0c2E$d2Vhaw";
pub(crate) const HARD: &str = "$argon2id$v=19$m=65536,t=1,p=4,keyid=ASNFZ4mr$c2FsdHNhbHRzYWx0c2E$aGFyZA";
pub(crate) const CREDENTIAL: &str = "$c2FsdHNhbHRzYWx0c2E$";
/// Of another password of the same user.
pub(crate) const OTHER_WEAK: &str = "$hmac-sha256$k=0123456789ab$b3RoZXJvdGhlcm90aGU$d2Vhaw";

pub(crate) struct Data {
    pub(crate) cluster: &'static TestCluster,
    pub(crate) name: String,
    made: Cell<u64>,
}

impl Data {
    /// To be called on a shard.
    pub(crate) async fn new() -> Data {
        Data::on(TestCluster::shared()).await
    }

    /// In a cluster that no other test uses, for what transactions of others would disturb. Ends with the process, as
    /// the shared one does.
    pub(crate) async fn alone() -> Data {
        Data::on(Box::leak(Box::new(TestCluster::start(&Spec::default())))).await
    }

    async fn on(cluster: &'static TestCluster) -> Data {
        let data = Data { cluster, name: cluster.create_database(), made: Cell::new(0) };
        migrate::up(data.link().await.client(), None).await.unwrap();
        data
    }

    pub(crate) async fn link(&self) -> Link {
        link(&self.url()).await
    }

    pub(crate) fn url(&self) -> String {
        self.cluster.url(&self.name)
    }

    pub(crate) fn sql(&self, text: &str) -> String {
        self.cluster.sql(&self.name, text)
    }

    fn unique(&self) -> (u64, [u8; 8]) {
        let number = self.made.get();
        self.made.set(number + 1);
        let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        // Later ones have higher ids, as in life.
        (u64::try_from(unix_ms).unwrap() + number, number.to_be_bytes())
    }

    /// An active user with a weak record, who is queued; `userN@example.com`.
    pub(crate) fn user(&self) -> UserId {
        let (unix_ms, random) = self.unique();
        let bucket = Bucket::try_from(i16::from(random[7]) * 16).unwrap();
        let user = UserId::new(unix_ms, bucket, random);
        let (bucket, number) = (bucket.as_i16(), u64::from_be_bytes(random));
        self.sql(&format!(
            "INSERT INTO users (created_at, updated_at, id, bucket, status, email, username, password_hash)
             VALUES (now(), now(), '{user}', {bucket}, 1, 'user{number}@example.com', 'User {number}', '{WEAK}');
             INSERT INTO password_upgrade_queue VALUES ('{user}', {bucket})"
        ));
        user
    }

    pub(crate) fn new_session(&self, user: UserId) -> NewSession {
        let (unix_ms, random) = self.unique();
        NewSession {
            id: SessionId::new(unix_ms, user.bucket(), random),
            user,
            seed: [7; 16],
            ip: Some("192.0.2.1".parse().unwrap()),
            user_agent: Some("a browser".into()),
            idle: HOUR,
            absolute: 10 * HOUR,
            per_user_max: 10,
            credential: CREDENTIAL.to_owned(),
        }
    }

    /// A session that has been started.
    pub(crate) async fn session(&self, link: &Link, user: UserId) -> SessionId {
        let session = self.new_session(user);
        let id = session.id;
        assert_eq!(run::<StartSession>(link, &[session]).await, [Started::Started]);
        id
    }

    pub(crate) fn set_status(&self, user: UserId, status: i16) {
        self.sql(&format!("UPDATE users SET status = {status} WHERE id = '{user}'"));
    }

    pub(crate) fn set_password(&self, user: UserId, record: &str) {
        self.sql(&format!("UPDATE users SET password_hash = '{record}' WHERE id = '{user}'"));
    }

    pub(crate) fn expire(&self, session: SessionId) {
        self.sql(&format!("UPDATE sessions SET expires_at = now() - interval '1 ms' WHERE id = '{session}'"));
    }

    pub(crate) fn sessions_of(&self, user: UserId) -> String {
        self.sql(&format!("SELECT count(*) FROM sessions WHERE user_id = '{user}'"))
    }

    pub(crate) fn record_of(&self, user: UserId) -> String {
        self.sql(&format!("SELECT password_hash FROM users WHERE id = '{user}'"))
    }

    pub(crate) fn is_queued(&self, user: UserId) -> bool {
        self.sql(&format!("SELECT count(*) FROM password_upgrade_queue WHERE user_id = '{user}'")) == "1"
    }
}

/// One batch, in the order of its locks; outcomes in the order of the items.
pub(crate) async fn run<S: BatchedStatement>(link: &Link, items: &[S::Item]) -> Vec<S::Outcome> {
    attempt::<S>(link, items, false).await
}

/// A second attempt at a batch whose first one may have gone through.
pub(crate) async fn run_again<S: BatchedStatement>(link: &Link, items: &[S::Item]) -> Vec<S::Outcome> {
    attempt::<S>(link, items, true).await
}

async fn attempt<S: BatchedStatement>(link: &Link, items: &[S::Item], uncertain: bool) -> Vec<S::Outcome> {
    let mut batch: Vec<_> = items.iter().enumerate().map(|(place, item)| Sent { place, item, uncertain }).collect();
    batch.sort_by(|a, b| S::lock_order(a.item, b.item));
    let outcomes = S::execute(link, &batch, soon()).await.unwrap();
    let mut outcomes: Vec<_> = batch.iter().map(|sent| sent.place).zip(outcomes).collect();
    outcomes.sort_by_key(|(place, _)| *place);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// What somebody sends who has the token of that generation of a session of [`Data::session`].
pub(crate) fn rotation(session: SessionId, generation: u32) -> rotate_session::Item {
    let (ip, user_agent) = (Some("198.51.100.7".parse().unwrap()), Some("another browser".into()));
    let mut proof = [0; 16];
    let digest = Sha256::new().chain_update([7; 16]).chain_update(generation.to_be_bytes()).finalize();
    proof.copy_from_slice(&digest[..16]);
    rotate_session::Item {
        session,
        generation,
        proof,
        pending_may: true,
        ip,
        user_agent,
        idle: 2 * HOUR,
        absolute: 10 * HOUR,
    }
}
