//! What has to be done now and then on one shard of each node: rows whose time is over are deleted, a few at a time.
//! Several nodes may do so at once. The first time is at the start, for those that never run for long.

use super::statements::Queue;
use crate::{
    limits::{EXPIRY_INTERVAL, EXPIRY_STEP_PAUSE},
    postgres::statements::{
        expire_keys::ExpireKeys,
        expire_sessions::{ExpireSessions, Step},
    },
};

/// Forgets idempotency keys, for as long as the server runs.
pub(super) async fn expire_keys(expiry: Queue<ExpireKeys>) {
    loop {
        while let Ok(answer) = expiry.submit(()) {
            // What fails now is tried again after the interval.
            if answer.await != Ok(true) {
                break;
            }
            shards::sleep(EXPIRY_STEP_PAUSE).await;
        }
        shards::sleep(EXPIRY_INTERVAL).await;
    }
}

/// Deletes sessions that have expired, for as long as the server runs.
pub(super) async fn expire_sessions(expiry: Queue<ExpireSessions>) {
    loop {
        let mut after = None;
        while let Ok(answer) = expiry.submit(Step { after }) {
            match answer.await {
                Ok(Some(next)) => after = Some(next),
                Ok(None) | Err(_) => break,
            }
            shards::sleep(EXPIRY_STEP_PAUSE).await;
        }
        shards::sleep(EXPIRY_INTERVAL).await;
    }
}
