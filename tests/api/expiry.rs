//! What has expired is removed by the server itself, and nothing else is.

use crate::support::{
    metrics::Metrics,
    server::{CHEAP, Deployment},
};

#[test]
fn expired_sessions_are_removed_and_live_ones_stay() {
    let deployment = Deployment::new();
    let before = deployment.serve_with(CHEAP);
    let mut client = before.connect();
    client.new_session("ada@example.com");
    let live: Vec<_> = (0..3).map(|_| client.login("ada@example.com").tokens()).collect();
    // More than one step looks at, and ids that nobody here has made.
    deployment.sql(
        "INSERT INTO sessions (bucket, id, user_id, seed, created_at, rotated_at, expires_at)
         SELECT bucket, gen_random_uuid(), user_id, seed, now() - interval '2 days', now() - interval '2 days',
             now() - interval '1 day'
         FROM (SELECT * FROM sessions LIMIT 1) AS session, generate_series(1, 2500)",
    );
    before.stop();
    let server = deployment.serve_with(CHEAP);
    let count = || deployment.sql("SELECT count(*) FROM sessions");
    Metrics::once(&server, "the expired ones are gone", |_| count() == "4");
    for tokens in live {
        assert_eq!(server.connect().authorized("GET", "/auth/me", &tokens.access).status, 200);
    }
}
