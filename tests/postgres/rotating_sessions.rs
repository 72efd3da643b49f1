//! Of those who present one generation, one moves the session on, and rotations stay in place.

use super::{data::*, *};
use jeday::{
    account::SessionId,
    postgres::statements::{
        find_refresh::FindRefresh,
        rotate_session::{Item, RotateSession, Rotated},
    },
};
use std::rc::Rc;

async fn generation(link: &Link, session: SessionId) -> u32 {
    run::<FindRefresh>(link, &[session]).await[0].as_ref().unwrap().generation
}

#[test]
fn rotation_moves_the_session_on() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let user = data.user();
        let session = data.session(&link, user).await;
        data.sql("UPDATE sessions SET created_at = now() - interval '9 h', rotated_at = now() - interval '1 h'");
        let rotated = run::<RotateSession>(&link, &[rotation(session, 0)]).await;
        assert!(rotated == [Some(Rotated { user, seed: [7; 16] })]);
        let stored = "SELECT generation, ip, user_agent, now() - rotated_at < interval '1 min', \
                      expires_at - created_at FROM sessions";
        assert_eq!(data.sql(stored), "1|198.51.100.7|another browser|t|10:00:00", "the absolute limit comes first");
        data.sql("UPDATE sessions SET created_at = now()");
        let bare = Item { ip: None, user_agent: None, ..rotation(session, 1) };
        assert!(run::<RotateSession>(&link, &[bare]).await[0].is_some());
        let stored = "SELECT generation, ip, user_agent, expires_at - rotated_at FROM sessions";
        assert_eq!(data.sql(stored), "2|||02:00:00", "the idle limit comes first");
    });
}

#[test]
fn each_rotation_of_a_batch_gets_its_own_outcome() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let (user, blocked, pending) = (data.user(), data.user(), data.user());
        let [twice, stale, expired] = [0; 3].map(|_| user);
        let twice = data.session(&link, twice).await;
        let stale = data.session(&link, stale).await;
        let expired = data.session(&link, expired).await;
        let of_blocked = data.session(&link, blocked).await;
        let of_pending = data.session(&link, pending).await;
        let of_pending_shut_out = data.session(&link, pending).await;
        let without_proof = data.session(&link, user).await;
        data.set_status(blocked, 2);
        data.set_status(pending, 0);
        data.expire(expired);
        data.sql(&format!("UPDATE sessions SET generation = 5 WHERE id = '{stale}'"));
        let unknown = SessionId::new(1, user.bucket(), [9; 8]);
        let batch = [
            rotation(of_blocked, 0),
            rotation(twice, 0),
            rotation(stale, 4),
            rotation(stale, 6),
            rotation(stale, u32::MAX),
            rotation(twice, 0),
            rotation(expired, 0),
            rotation(unknown, 0),
            rotation(of_pending, 0),
            rotation(stale, 5),
            rotation(twice, 1),
            Item { pending_may: false, ..rotation(of_pending_shut_out, 0) },
            Item { proof: [0; 16], ..rotation(without_proof, 0) },
            Item { proof: rotation(without_proof, 1).proof, ..rotation(without_proof, 0) },
        ];
        let outcomes = run::<RotateSession>(&link, &batch).await;
        let won: Vec<_> = (0..batch.len()).filter(|at| outcomes[*at].is_some()).collect();
        assert!(won == [1, 8, 9] || won == [5, 8, 9], "{won:?}");
        assert_eq!((generation(&link, twice).await, generation(&link, stale).await), (1, 6));
    });
}

#[test]
fn one_of_many_connections_rotates() {
    on_shard(async {
        let data = Rc::new(Data::new().await);
        let link = data.link().await;
        let user = data.user();
        let mut sessions = Vec::new();
        for _ in 0..5 {
            sessions.push(data.session(&link, user).await);
        }
        for round in 0..10 {
            let tasks: Vec<_> = (0..4)
                .map(|_| {
                    let (data, sessions) = (data.clone(), sessions.clone());
                    shards::spawn(async move {
                        let link = data.link().await;
                        let batch: Vec<_> = sessions.iter().map(|session| rotation(*session, round)).collect();
                        run::<RotateSession>(&link, &batch).await
                    })
                })
                .collect();
            let mut won = [0; 5];
            for task in tasks {
                for (won, outcome) in won.iter_mut().zip(task.await) {
                    *won += u32::from(outcome.is_some());
                }
            }
            assert_eq!(won, [1; 5], "round {round}");
        }
    });
}

#[test]
fn lost_reply_of_a_rotation_is_looked_up() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let user = data.user();
        let (done, not_done, beyond) =
            (data.session(&link, user).await, data.session(&link, user).await, data.session(&link, user).await);
        run::<RotateSession>(&link, &[rotation(done, 0)]).await;
        data.sql(&format!("UPDATE sessions SET generation = 2 WHERE id = '{beyond}'"));
        let forged = Item { proof: [0; 16], ..rotation(done, 0) };
        let batch = [rotation(beyond, 0), rotation(done, 0), rotation(not_done, 0), forged];
        let outcomes = run_again::<RotateSession>(&link, &batch).await;
        let rotated = Some(Rotated { user, seed: [7; 16] });
        assert!(outcomes == [None, rotated.clone(), rotated, None]);
        assert_eq!((generation(&link, done).await, generation(&link, not_done).await), (1, 1));
    });
}

#[test]
fn rotations_stay_in_place() {
    on_shard(async {
        let data = Data::alone().await;
        let link = data.link().await;
        let user = data.user();
        // Old versions cannot go while an analyze looks, or any other transaction.
        data.sql("ALTER TABLE sessions SET (autovacuum_enabled = off)");
        data.sql(&format!(
            "INSERT INTO sessions (created_at, rotated_at, expires_at, id, user_id, bucket, seed, ip, user_agent)
             SELECT now(), now(), now() + interval '1 h', (lpad(to_hex(n), 12, '0') || '7{:03x}8000000000000000')::uuid,
                    '{user}', {}, decode(repeat('07', 16), 'hex'), '192.0.2.1', repeat('a', 120)
             FROM generate_series(1, 2000) AS n",
            user.bucket().as_u16(),
            user.bucket().as_i16()
        ));
        // In no order, as clients come.
        let session = |n: u64| SessionId::new(n * 617 % 2000 + 1, user.bucket(), [0; 8]);
        for generation in 0..3 {
            for start in (0..2000).step_by(50) {
                let batch: Vec<_> = (start..start + 50).map(|n| rotation(session(n), generation)).collect();
                assert!(run::<RotateSession>(&link, &batch).await.iter().all(Option::is_some));
            }
        }
        drop(link);
        let updates = || data.sql("SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'sessions'");
        eventually("the figures are in", || updates() == "6000").await;
        let in_place = data.sql("SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'sessions'");
        assert!(in_place.parse::<u32>().unwrap() > 5_700, "{in_place} of 6000");
    });
}
