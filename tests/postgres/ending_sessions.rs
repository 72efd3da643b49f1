//! Sessions end at the word of a live session of the same user, and when their time has come.

use super::{data::*, support::session::Session, *};
use jeday::{
    account::{SessionId, UserId},
    limits::SESSIONS_PER_EXPIRY_STEP,
    postgres::statements::{
        end_all_sessions::{self, AllEnded, EndAllSessions},
        end_session::{self, EndSession, Ended},
        expire_sessions::{ExpireSessions, Step},
    },
};

fn item(user: UserId, current: SessionId, target: SessionId) -> end_session::Item {
    end_session::Item { current, user, target }
}

#[test]
fn session_ends_itself_and_its_siblings_only() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let (user, stranger) = (data.user(), data.user());
        let (one, two) = (data.session(&link, user).await, data.session(&link, user).await);
        let (three, expired) = (data.session(&link, user).await, data.session(&link, user).await);
        let foreign = data.session(&link, stranger).await;
        data.expire(expired);
        let batch = [
            item(user, one, foreign),
            item(user, one, two),
            item(stranger, one, one),
            item(user, expired, one),
            item(user, three, three),
            item(user, one, expired),
            item(stranger, foreign, one),
            item(user, three, three),
        ];
        let expected = [
            Ended::NoSuchSession,
            Ended::Ended,
            Ended::NotAuthenticated,
            Ended::NotAuthenticated,
            Ended::Ended,
            Ended::NoSuchSession,
            Ended::NoSuchSession,
            Ended::Ended,
        ];
        assert_eq!(run::<EndSession>(&link, &batch).await, expected);
        assert_eq!(data.sql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM sessions"), format!("{one} {foreign}"));
        assert_eq!(run::<EndSession>(&link, &[item(user, three, three)]).await, [Ended::NotAuthenticated]);
        assert_eq!(run_again::<EndSession>(&link, &[item(user, three, three)]).await, [Ended::Ended]);
    });
}

#[test]
fn sessions_that_end_each_other_have_both_ended() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let user = data.user();
        let (one, two) = (data.session(&link, user).await, data.session(&link, user).await);
        let batch = [item(user, one, two), item(user, two, one)];
        assert_eq!(run::<EndSession>(&link, &batch).await, [Ended::Ended, Ended::Ended]);
        assert_eq!(data.sessions_of(user), "0");
    });
}

#[test]
fn log_out_at_once_over_two_connections_succeeds_for_both() {
    on_shard(async {
        let data = Data::new().await;
        let (link, other) = (data.link().await, data.link().await);
        let user = data.user();
        for _ in 0..20 {
            let session = data.session(&link, user).await;
            let batch = [item(user, session, session)];
            let both = futures_lite::future::zip(run::<EndSession>(&link, &batch), run::<EndSession>(&other, &batch));
            let (one, two) = both.await;
            // Whoever begins after the other has ended has no session to ask with.
            assert!(one == [Ended::Ended] || two == [Ended::Ended]);
            assert!(one[0] != Ended::NoSuchSession && two[0] != Ended::NoSuchSession);
            assert_eq!(data.sessions_of(user), "0");
        }
    });
}

#[test]
fn all_sessions_of_a_user_end_together() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let (user, other, stranger) = (data.user(), data.user(), data.user());
        let mut sessions = Vec::new();
        for _ in 0..4 {
            sessions.push(data.session(&link, user).await);
        }
        data.expire(sessions[3]);
        let (of_other, of_stranger) = (data.session(&link, other).await, data.session(&link, stranger).await);
        let item = |user, current| end_all_sessions::Item { current, user };
        let batch = [
            item(user, sessions[0]),
            item(stranger, sessions[0]),
            item(other, of_other),
            item(user, sessions[1]),
            item(user, sessions[3]),
        ];
        let expected = [
            AllEnded::Ended(3),
            AllEnded::NotAuthenticated,
            AllEnded::Ended(1),
            AllEnded::Ended(3),
            AllEnded::NotAuthenticated,
        ];
        assert_eq!(run::<EndAllSessions>(&link, &batch).await, expected);
        assert_eq!(data.sql("SELECT id FROM sessions"), of_stranger.to_string());
        let again = [item(user, sessions[0])];
        assert_eq!(run::<EndAllSessions>(&link, &again).await, [AllEnded::NotAuthenticated]);
        assert_eq!(run_again::<EndAllSessions>(&link, &again).await, [AllEnded::Ended(0)]);
    });
}

#[test]
fn clean_up_walks_over_all_sessions_and_passes_over_locked_ones() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let user = data.user();
        // Every third has expired.
        data.sql(&format!(
            "INSERT INTO sessions (created_at, rotated_at, expires_at, id, user_id, bucket, seed)
             SELECT now(), now(), now() + CASE WHEN n % 3 = 0 THEN - interval '1 s' ELSE interval '1 h' END,
                    (lpad(to_hex(n), 12, '0') || '70008000000000000000')::uuid, '{user}', {},
                    decode(repeat('07', 16), 'hex')
             FROM generate_series(1, {}) AS n",
            user.bucket().as_i16(),
            2 * SESSIONS_PER_EXPIRY_STEP + 1
        ));
        let expired = || data.sql("SELECT count(*) FROM sessions WHERE expires_at <= now()");
        let all: u32 = expired().parse().unwrap();
        let mut holder = Session::open(data.cluster, &data.name);
        holder.run("BEGIN; SELECT 1 FROM sessions WHERE expires_at <= now() ORDER BY id LIMIT 1 FOR UPDATE");
        let mut step = Step::default();
        let mut steps = 0;
        while let Some(next) = run::<ExpireSessions>(&link, &[step]).await[0] {
            assert!(Some(next) > step.after);
            step.after = Some(next);
            steps += 1;
        }
        assert_eq!((steps, expired().as_str()), (2, "1"), "of {all}, all but the one that is locked");
        holder.release();
        assert!(run::<ExpireSessions>(&link, &[Step::default()]).await[0].is_some());
        assert_eq!(expired(), "0");
        assert_eq!(
            data.sql("SELECT count(*) FROM sessions"),
            (2 * SESSIONS_PER_EXPIRY_STEP as u32 + 1 - all).to_string()
        );
    });
}

#[test]
fn clean_up_of_no_sessions_is_at_its_end() {
    on_shard(async {
        let data = Data::new().await;
        assert_eq!(run::<ExpireSessions>(&data.link().await, &[Step::default()]).await, [None]);
    });
}
