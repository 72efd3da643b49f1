//! Hardened records are written back by compare-and-set, from batches and from claims, and the queue loses nobody.

use super::{
    data::*,
    support::{pooler::Pooler, session::Session},
    *,
};
use jeday::{
    account::UserId,
    postgres::{
        backlog::{Backlog, backlog},
        claim::{Claim, Wanted, Written, claim},
        link::LinkError,
        statements::harden::{Harden, Hardened, Item},
    },
};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

const EVERYBODY: Wanted = Wanted { most: 100, before_unix_ms: u64::MAX >> 16, held_max: Duration::from_secs(60) };

fn item(user: UserId, old: &str, new: &str) -> Item {
    Item { user, old: Zeroizing::new(old.to_owned()), new: new.into() }
}

fn written(user: UserId) -> Written {
    Written { user, new: HARD.into() }
}

fn users(claim: &Claim<'_>) -> Vec<UserId> {
    claim.users.iter().map(|claimed| claimed.user).collect()
}

#[test]
fn each_record_of_a_batch_gets_its_own_outcome() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let [fresh, changed, done, gone, without, twice] = std::array::from_fn(|_| data.user());
        data.set_password(changed, OTHER_WEAK);
        data.set_password(done, HARD);
        data.sql(&format!("DELETE FROM users WHERE id = '{gone}'"));
        data.sql(&format!("UPDATE users SET password_hash = NULL WHERE id = '{without}'"));
        let batch = [
            item(twice, WEAK, HARD),
            item(gone, WEAK, HARD),
            item(fresh, WEAK, HARD),
            item(changed, WEAK, HARD),
            item(without, WEAK, HARD),
            item(done, WEAK, HARD),
            item(twice, WEAK, HARD),
        ];
        let outcomes = run::<Harden>(&link, &batch).await;
        let hardened: Vec<_> = (0..batch.len()).filter(|at| outcomes[*at] == Hardened::Hardened).collect();
        assert!(hardened == [0, 2] || hardened == [2, 6], "{hardened:?}");
        assert_eq!([fresh, changed, done, twice].map(|user| data.record_of(user)), [HARD, OTHER_WEAK, HARD, HARD]);
        let queued = data.sql("SELECT user_id FROM password_upgrade_queue");
        assert_eq!(queued, changed.to_string(), "only the record that is weak is still to be done");
        // Looked at again, what is in force was written by the first attempt.
        let again = run_again::<Harden>(&link, &[item(fresh, WEAK, HARD), item(changed, WEAK, HARD)]).await;
        assert_eq!(again, [Hardened::Hardened, Hardened::Stale]);
        let rehashed = run::<Harden>(&link, &[item(fresh, HARD, "$argon2id$stronger")]).await;
        assert_eq!(
            (rehashed.as_slice(), data.record_of(fresh).as_str()),
            (&[Hardened::Hardened][..], "$argon2id$stronger")
        );
    });
}

#[test]
fn batch_does_not_wait_for_a_claim() {
    on_shard(async {
        let data = Data::new().await;
        let (worker, link) = (data.link().await, data.link().await);
        let user = data.user();
        let claim = claim(&worker, EVERYBODY, soon()).await.unwrap();
        assert_eq!(run::<Harden>(&link, &[item(user, WEAK, HARD)]).await, [Hardened::Hardened]);
        assert!(data.is_queued(user), "the entry is the claim's");
        assert_eq!(claim.finish(vec![written(user)], soon()).await, Ok(0), "it was done meanwhile");
        assert!(!data.is_queued(user));
        assert_eq!(data.record_of(user), HARD);
    });
}

#[test]
fn claim_takes_the_oldest_and_writes_back_what_was_hardened() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let [hardened, failed, changed, done, gone, younger] = std::array::from_fn(|_| data.user());
        data.set_password(done, HARD);
        data.sql(&format!("DELETE FROM users WHERE id = '{gone}'"));
        let wanted = Wanted { before_unix_ms: younger.unix_ms(), ..EVERYBODY };
        let first = claim(&link, wanted, soon()).await.unwrap();
        assert_eq!(users(&first), [hardened, failed, changed, done, gone]);
        let records: Vec<_> =
            first.users.iter().map(|claimed| claimed.password_hash.as_ref().map(|record| record.to_string())).collect();
        assert_eq!(
            records,
            [Some(WEAK), Some(WEAK), Some(WEAK), Some(HARD), None].map(|record| record.map(str::to_owned))
        );
        data.set_password(changed, OTHER_WEAK);
        assert_eq!(first.finish(vec![written(changed), written(hardened)], soon()).await, Ok(1));
        assert_eq!([hardened, failed, changed].map(|user| data.record_of(user)), [HARD, WEAK, OTHER_WEAK]);
        let queued = [hardened, failed, changed, done, gone, younger].map(|user| data.is_queued(user));
        assert_eq!(queued, [false, true, true, false, false, true]);
        assert!(!link.is_closed());
        let next = claim(&link, Wanted { most: 1, ..EVERYBODY }, soon()).await.unwrap();
        assert_eq!(users(&next), [failed]);
    });
}

#[test]
fn two_claims_at_once_share_nobody() {
    on_shard(async {
        let data = Data::new().await;
        let (one, two) = (data.link().await, data.link().await);
        let all: BTreeSet<_> = (0..10).map(|_| data.user()).collect();
        let first = claim(&one, Wanted { most: 6, ..EVERYBODY }, soon()).await.unwrap();
        let second = claim(&two, Wanted { most: 6, ..EVERYBODY }, soon()).await.unwrap();
        assert_eq!((first.users.len(), second.users.len()), (6, 4));
        assert_eq!(users(&first).into_iter().chain(users(&second)).collect::<BTreeSet<_>>(), all);
        for claim in [first, second] {
            let (count, written) = (claim.users.len(), users(&claim).into_iter().map(written).collect());
            assert_eq!(claim.finish(written, soon()).await, Ok(count));
        }
        assert_eq!(backlog(&one, soon()).await, Ok(Backlog::default()));
    });
}

#[test]
fn claim_that_is_lost_leaves_everything_as_it_was() {
    on_shard(async {
        let data = Data::new().await;
        let user = data.user();
        let survivor = data.link().await;
        let whole = async || {
            let claim = claim(&survivor, EVERYBODY, soon()).await.unwrap();
            let all = users(&claim);
            claim.abandon(soon()).await.unwrap();
            all
        };
        // Dropped.
        let link = data.link().await;
        drop(claim(&link, EVERYBODY, soon()).await.unwrap());
        assert!(link.is_closed());
        free_again(&data).await;
        assert_eq!(whole().await, [user]);
        // Its connection killed before the end.
        let link = data.link().await;
        let pid = backend(&link).await;
        let lost = claim(&link, EVERYBODY, soon()).await.unwrap();
        data.sql(&format!("SELECT pg_terminate_backend({pid})"));
        assert!(lost.finish(vec![written(user)], soon()).await.is_err());
        free_again(&data).await;
        assert_eq!(whole().await, [user]);
        assert_eq!(data.record_of(user), WEAK);
        // Held longer than it may be.
        let link = data.link().await;
        let wanted = Wanted { held_max: Duration::from_millis(100), ..EVERYBODY };
        let slow = claim(&link, wanted, soon()).await.unwrap();
        free_again(&data).await;
        assert_eq!(whole().await, [user]);
        assert!(slow.finish(vec![written(user)], soon()).await.is_err());
        assert!(!survivor.is_closed());
        assert_eq!((data.record_of(user).as_str(), data.is_queued(user)), (WEAK, true));
    });
}

async fn free_again(data: &Data) {
    let condition = format!("datname = '{}' AND state LIKE 'idle in transaction%'", data.name);
    let held = || data.cluster.sql("postgres", &format!("SELECT count(*) FROM pg_stat_activity WHERE {condition}"));
    eventually("the claim is free", || held() == "0").await;
}

#[test]
fn deadline_that_passes_in_a_claim_leaves_no_transaction() {
    on_shard(async {
        let data = Data::new().await;
        let user = data.user();
        let link = data.link().await;
        let mut holder = Session::open(data.cluster, &data.name);
        holder.run(&format!("BEGIN; SELECT 1 FROM users WHERE id = '{user}' FOR UPDATE"));
        let claim = claim(&link, EVERYBODY, soon()).await.unwrap();
        let deadline = Instant::now() + Duration::from_millis(200);
        let error = claim.finish(vec![written(user)], deadline).await.unwrap_err();
        assert!(matches!(error, LinkError::Unknown(_)), "{error}");
        assert!(link.is_closed());
        holder.release();
        free_again(&data).await;
        assert_eq!((data.record_of(user).as_str(), data.is_queued(user)), (WEAK, true));
    });
}

#[test]
fn claim_works_through_a_pooler() {
    on_shard(async {
        let data = Data::new().await;
        let pooler = Pooler::start(data.cluster, "transaction");
        let (one, two) = (data.user(), data.user());
        let link = link(&pooler.url(&data.name)).await;
        let first = claim(&link, Wanted { most: 1, ..EVERYBODY }, soon()).await.unwrap();
        assert_eq!(users(&first), [one]);
        assert_eq!(first.finish(vec![written(one)], soon()).await, Ok(1));
        drop(claim(&link, EVERYBODY, soon()).await.unwrap());
        free_again(&data).await;
        let link = super::link(&pooler.url(&data.name)).await;
        let second = claim(&link, EVERYBODY, soon()).await.unwrap();
        assert_eq!(users(&second), [two]);
        second.abandon(soon()).await.unwrap();
        assert_eq!(run::<Harden>(&link, &[item(two, WEAK, HARD)]).await, [Hardened::Hardened]);
    });
}

#[test]
fn backlog_tells_how_much_is_left_and_since_when() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        assert_eq!(backlog(&link, soon()).await, Ok(Backlog::default()));
        let (oldest, _) = (data.user(), data.user());
        let few = Backlog { weak: 2, more: false, oldest_unix_ms: Some(oldest.unix_ms()) };
        assert_eq!(backlog(&link, soon()).await, Ok(few));
        data.sql(
            "INSERT INTO password_upgrade_queue
             SELECT ('ffffffff' || lpad(to_hex(n), 4, '0') || '70008000000000000000')::uuid, 0
             FROM generate_series(0, 65535) AS n",
        );
        data.sql("INSERT INTO password_upgrade_queue SELECT user_id, 1 FROM password_upgrade_queue WHERE bucket = 0");
        let many = Backlog { weak: 100_000, more: true, ..few };
        assert_eq!(backlog(&link, soon()).await, Ok(many));
    });
}
