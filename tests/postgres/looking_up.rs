//! Statements that only read: who is behind an address, an access token, a refresh token, and the list of sessions.

use super::{data::*, *};
use jeday::{
    account::{Bucket, Email, SessionId, Status, UserId},
    postgres::statements::{
        find_credentials::{self, FindCredentials},
        find_refresh::FindRefresh,
        find_session::{self, FindSession, Owner},
        list_sessions::{self, ListSessions},
        start_session::StartSession,
    },
};

fn credentials(email: &str, bucket: Bucket) -> find_credentials::Item {
    find_credentials::Item { email: Email::parse(email).unwrap(), bucket }
}

#[test]
fn credentials_are_found_by_address_and_bucket() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let (one, two) = (data.user(), data.user());
        data.set_status(two, 2);
        data.sql(&format!("UPDATE users SET password_hash = NULL WHERE id = '{two}'"));
        let items = [
            credentials("user1@example.com", two.bucket()),
            credentials("nobody@example.com", one.bucket()),
            credentials("user0@example.com", one.bucket()),
            credentials("user0@example.com", two.bucket()),
            credentials("user0@example.com", one.bucket()),
        ];
        let found = run::<FindCredentials>(&link, &items).await;
        assert!(found[1].is_none() && found[3].is_none());
        for at in [2, 4] {
            let found = found[at].as_ref().unwrap();
            assert_eq!((found.user, found.username.as_str(), found.status), (one, "User 0", Status::Active));
            assert_eq!(found.password_hash.as_ref().unwrap().as_str(), WEAK);
        }
        let found = found[0].as_ref().unwrap();
        assert_eq!((found.user, found.status), (two, Status::Blocked));
        assert!(found.password_hash.is_none());
    });
}

#[test]
fn session_is_found_for_its_user_while_it_lives() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let (one, two) = (data.user(), data.user());
        let (of_one, of_two) = (data.session(&link, one).await, data.session(&link, two).await);
        data.set_status(two, 3);
        let unknown = SessionId::new(1, one.bucket(), [9; 8]);
        let item = |session, user| find_session::Item { session, user };
        let items = [item(of_two, two), item(of_one, two), item(unknown, one), item(of_one, one), item(of_one, one)];
        let found = run::<FindSession>(&link, &items).await;
        let owner = |number, status| {
            let (email, username) = (format!("user{number}@example.com"), format!("User {number}"));
            Some(Owner { email, username, status })
        };
        let (one_is_found, two_is_found) = (owner(0, Status::Active), owner(1, Status::Deleted));
        assert_eq!(found, [two_is_found, None, None, one_is_found.clone(), one_is_found]);
        data.expire(of_one);
        assert_eq!(run::<FindSession>(&link, &[item(of_one, one)]).await, [None]);
    });
}

#[test]
fn refresh_state_comes_with_its_age() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let user = data.user();
        let (aged, expired) = (data.session(&link, user).await, data.session(&link, user).await);
        data.expire(expired);
        let early = data.session(&link, user).await;
        data.sql(&format!(
            "UPDATE sessions SET rotated_at = now() - interval '90.5 s', generation = 3 WHERE id = '{aged}'"
        ));
        data.sql(&format!("UPDATE sessions SET rotated_at = now() + interval '1 h' WHERE id = '{early}'"));
        let found = run::<FindRefresh>(&link, &[expired, aged, early]).await;
        assert!(found[0].is_none());
        let stored = found[1].as_ref().unwrap();
        assert_eq!((stored.user, stored.generation, stored.seed), (user, 3, [7; 16]));
        assert_eq!(stored.status, Status::Active);
        assert!((90_500..100_000).contains(&stored.rotated_ms_ago), "{}", stored.rotated_ms_ago);
        assert_eq!(found[2].as_ref().unwrap().rotated_ms_ago, 0, "a rotation of this moment has no age");
    });
}

#[test]
fn live_sessions_are_listed_newest_first() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let user = data.user();
        let older = data.session(&link, user).await;
        let expired = data.session(&link, user).await;
        let mut plain = data.new_session(user);
        (plain.ip, plain.user_agent) = (Some("2001:db8::7".parse().unwrap()), None);
        let newer = plain.id;
        run::<StartSession>(&link, &[plain]).await;
        data.expire(expired);
        let stranger = data.user();
        let item = |user, current| list_sessions::Item { user, current };
        let items = [item(user, expired), item(user, older), item(stranger, older), item(user, newer)];
        let listed = run::<ListSessions>(&link, &items).await;
        assert!(listed[0].is_none() && listed[2].is_none());
        assert_eq!(listed[1], listed[3]);
        let listed = listed[1].as_ref().unwrap();
        assert_eq!(listed.status, Status::Active);
        let rows = &listed.sessions;
        assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [newer, older]);
        assert_eq!((rows[0].ip, &rows[0].user_agent), (Some("2001:db8::7".parse().unwrap()), &None));
        assert_eq!(
            (rows[1].ip, rows[1].user_agent.as_deref()),
            (Some("192.0.2.1".parse().unwrap()), Some("a browser"))
        );
        for row in rows {
            assert_eq!(row.last_used_unix_ms, row.created_unix_ms);
            assert_eq!(row.expires_unix_ms - row.created_unix_ms, 3_600_000);
        }
        let elsewhere = UserId::new(1, Bucket::try_from(4000).unwrap(), [1; 8]);
        assert_eq!(run::<ListSessions>(&link, &[item(elsewhere, older)]).await, [None]);
    });
}
