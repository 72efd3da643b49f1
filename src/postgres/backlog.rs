//! How much is left to harden. Counts no further than is worth it, so that asking costs little when much is left.

use super::{
    link::{Link, LinkError, Sql},
    statements::decode::id,
};
use crate::{
    account::{id::Id, user_id::User},
    limits::BACKLOG_COUNT_MAX,
};
use std::time::Instant;
use tokio_postgres::types::Type;

/// Users whose record is still weak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many there are, up to [`BACKLOG_COUNT_MAX`].
    pub weak: u64,
    /// Whether there are more than that.
    pub more: bool,
    /// When the oldest of them registered, in milliseconds since 1970: their ids tell.
    pub oldest_unix_ms: Option<u64>,
}

static MEASURE: Sql = Sql {
    name: "backlog",
    text: "SELECT (SELECT count(*) FROM (SELECT FROM password_upgrade_queue LIMIT $1 + 1) AS bounded), oldest.user_id
FROM (SELECT user_id FROM password_upgrade_queue ORDER BY user_id LIMIT 1) AS oldest",
    types: &[Type::INT8],
};

/// Measures the backlog.
///
/// # Errors
/// [`LinkError`]; asking has no effect.
pub async fn backlog(link: &Link, deadline: Instant) -> Result<Backlog, LinkError> {
    let rows = link.query_planned_anew(&MEASURE, &[&BACKLOG_COUNT_MAX], deadline).await?;
    let Some(row) = rows.first() else { return Ok(Backlog::default()) };
    let count: i64 = row.get(0);
    let oldest: Id<User> = id(row, 1);
    Ok(Backlog {
        weak: count.min(BACKLOG_COUNT_MAX).cast_unsigned(),
        more: count > BACKLOG_COUNT_MAX,
        oldest_unix_ms: Some(oldest.unix_ms()),
    })
}
