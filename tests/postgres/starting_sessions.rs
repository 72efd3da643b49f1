//! A session starts only for the credential that was checked, and a user has no more of them than allowed.

use super::{data::*, support::session::Session, *};
use jeday::{
    account::Status,
    postgres::statements::start_session::{NewSession, StartSession, Started},
};
use std::rc::Rc;

#[test]
fn session_starts_before_and_after_hardening() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let user = data.user();
        data.session(&link, user).await;
        data.set_password(user, HARD);
        let mut bare = data.new_session(user);
        (bare.ip, bare.user_agent) = (None, Some("\u{e9}".repeat(300).into()));
        assert_eq!(run::<StartSession>(&link, &[bare]).await, [Started::Started]);
        let stored = "SELECT count(ip), max(octet_length(user_agent)), max(generation), \
                      max(expires_at - created_at) FROM sessions";
        assert_eq!(data.sql(stored), "1|512|0|01:00:00");
        let mut short = data.new_session(user);
        short.absolute = HOUR / 2;
        run::<StartSession>(&link, &[short]).await;
        assert_eq!(data.sql("SELECT min(expires_at - created_at) FROM sessions"), "00:30:00");
    });
}

#[test]
fn each_log_in_of_a_batch_gets_its_own_outcome() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let [good, changed, without, blocked, deleted, gone] = std::array::from_fn(|_| data.user());
        data.set_password(changed, OTHER_WEAK);
        data.sql(&format!("UPDATE users SET password_hash = NULL WHERE id = '{without}'"));
        data.set_status(blocked, 2);
        data.set_status(deleted, 3);
        data.sql(&format!("DELETE FROM users WHERE id = '{gone}'"));
        let users = [deleted, good, gone, changed, good, blocked, without];
        let outcomes = run::<StartSession>(&link, &users.map(|user| data.new_session(user))).await;
        let expected = [
            Started::UserShutOut(Status::Deleted),
            Started::Started,
            Started::UserGone,
            Started::CredentialChanged,
            Started::Started,
            Started::UserShutOut(Status::Blocked),
            Started::CredentialChanged,
        ];
        assert_eq!(outcomes, expected);
        assert_eq!(data.sql("SELECT count(*) FROM sessions"), "2");
        let empty = [NewSession { credential: String::new(), ..data.new_session(good) }];
        assert_eq!(run::<StartSession>(&link, &empty).await, [Started::CredentialChanged]);
        data.set_password(blocked, OTHER_WEAK);
        let both = run::<StartSession>(&link, &[data.new_session(blocked)]).await;
        assert_eq!(both, [Started::CredentialChanged], "the status is told to nobody without the right password");
    });
}

#[test]
fn password_change_under_way_is_waited_for() {
    on_shard(async {
        let data = Rc::new(Data::new().await);
        let link = data.link().await;
        let user = data.user();
        let mut change = Session::open(data.cluster, &data.name);
        change.run(&format!("BEGIN; UPDATE users SET password_hash = '{OTHER_WEAK}' WHERE id = '{user}'"));
        let session = [data.new_session(user)];
        let commit = async {
            eventually("the log-in waits", || waiting(&data) == "1").await;
            change.release();
        };
        let (outcome, ()) = futures_lite::future::zip(run::<StartSession>(&link, &session), commit).await;
        assert_eq!(outcome, [Started::CredentialChanged]);
        assert_eq!(data.sessions_of(user), "0");
    });
}

#[test]
fn session_under_way_is_seen_by_the_password_change() {
    on_shard(async {
        let data = Data::new().await;
        let user = data.user();
        let session = data.new_session(user);
        // What the statement does, held open.
        let mut start = Session::open(data.cluster, &data.name);
        start.run(&format!(
            "BEGIN; SELECT 1 FROM users WHERE id = '{user}' FOR NO KEY UPDATE;
             INSERT INTO sessions (created_at, rotated_at, expires_at, id, user_id, bucket, seed)
             VALUES (now(), now(), now() + interval '1 h', '{}', '{user}', {}, decode(repeat('07', 16), 'hex'))",
            session.id,
            user.bucket().as_i16()
        ));
        let change = format!(
            "BEGIN; UPDATE users SET password_hash = '{OTHER_WEAK}' WHERE id = '{user}';
             DELETE FROM sessions WHERE user_id = '{user}'; COMMIT"
        );
        std::thread::scope(|scope| {
            let changing = scope.spawn(|| data.cluster.sql(&data.name, &change));
            for _ in 0..100 {
                if waiting(&data) == "1" {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            start.release();
            changing.join().unwrap();
        });
        assert_eq!(data.sessions_of(user), "0");
    });
}

#[test]
fn oldest_sessions_end_beyond_the_limit() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let (user, neighbour) = (data.user(), data.user());
        data.session(&link, neighbour).await;
        let limited = |per_user_max| NewSession { per_user_max, ..data.new_session(user) };
        let ids = |sessions: &[NewSession]| {
            sessions.iter().map(|session| session.id.to_string()).collect::<Vec<_>>().join(" ")
        };
        let stored =
            || data.sql(&format!("SELECT id FROM sessions WHERE user_id = '{user}' ORDER BY id")).replace('\n', " ");
        let first: Vec<_> = (0..3).map(|_| limited(3)).collect();
        for session in &first {
            run::<StartSession>(&link, std::slice::from_ref(session)).await;
        }
        assert_eq!(stored(), ids(&first));
        // Five at once, in one batch.
        let batch: Vec<_> = (0..5).map(|_| limited(3)).collect();
        assert_eq!(run::<StartSession>(&link, &batch).await, [Started::Started; 5]);
        assert_eq!(stored(), ids(&batch[2..]));
        // One that has expired takes nobody's place.
        data.expire(batch[4].id);
        let last = limited(3);
        run::<StartSession>(&link, std::slice::from_ref(&last)).await;
        assert_eq!(stored(), format!("{} {}", ids(&batch[2..]), last.id));
        assert_eq!(data.sessions_of(neighbour), "1");
    });
}

#[test]
fn limit_holds_for_log_ins_over_several_connections() {
    on_shard(async {
        let data = Rc::new(Data::new().await);
        let user = data.user();
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let data = data.clone();
                shards::spawn(async move {
                    let link = data.link().await;
                    for _ in 0..10 {
                        let sessions: Vec<_> =
                            (0..3).map(|_| NewSession { per_user_max: 5, ..data.new_session(user) }).collect();
                        assert_eq!(run::<StartSession>(&link, &sessions).await, [Started::Started; 3]);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
        assert_eq!(data.sessions_of(user), "5");
    });
}

#[test]
fn lost_reply_of_a_start_is_looked_up() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let (user, changed) = (data.user(), data.user());
        let sessions = [data.new_session(user), data.new_session(changed), data.new_session(changed)];
        run::<StartSession>(&link, &sessions[..2]).await;
        data.set_password(changed, OTHER_WEAK);
        // The first two went through the first time, the third did not, and now its credential has changed.
        let outcomes = run_again::<StartSession>(&link, &sessions).await;
        assert_eq!(outcomes, [Started::Started, Started::Started, Started::CredentialChanged]);
        assert_eq!(data.sql("SELECT count(*) FROM sessions"), "2");
        let new = [data.new_session(user)];
        assert_eq!(run_again::<StartSession>(&link, &new).await, [Started::Started], "it never went through");
    });
}

#[test]
fn id_of_somebody_elses_session_starts_nothing() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let (one, two) = (data.user(), data.user());
        let taken = data.session(&link, one).await;
        let clash = [NewSession { id: taken, ..data.new_session(one) }];
        assert_eq!(run::<StartSession>(&link, &clash).await, [Started::CredentialChanged]);
        let clash = [NewSession { id: taken, user: one, seed: [8; 16], ..data.new_session(two) }];
        assert_eq!(run_again::<StartSession>(&link, &clash).await, [Started::CredentialChanged]);
        assert_eq!(data.sql("SELECT count(*) FROM sessions"), "1");
    });
}

fn waiting(data: &Data) -> String {
    let condition = format!("datname = '{}' AND wait_event_type = 'Lock'", data.name);
    data.cluster.sql("postgres", &format!("SELECT count(*) FROM pg_stat_activity WHERE {condition}"))
}
