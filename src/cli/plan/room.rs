//! What PostgreSQL has room for: asked, read from the file beside the profile, or what the private cluster would get.
//! Changes nothing, and goes on without an answer.

use super::{CliError, Context, Placement, fragment, serve};
use crate::postgres::{
    cluster::{SPARE_CONNECTIONS, shared_buffers_mib_for},
    connect::connect,
    examination::{Examination, examine},
};

/// PostgreSQL's own reserve for superusers, which the private cluster leaves as it is.
const SUPERUSERS_RESERVED: u32 = 3;

/// What is known of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Room {
    /// Where that comes from, or why nothing is known.
    pub(super) source: String,
    /// `None`: nobody says.
    pub(super) connections_max: Option<u32>,
    /// How many of them are not for Jeday.
    pub(super) connections_reserved: u32,
    /// `None` where it takes no memory of this machine, or nobody says.
    pub(super) shared_buffers_bytes: Option<u64>,
}

/// Finds out, `asked` standing for what PostgreSQL would say.
pub(super) fn room(asked: Option<u32>, context: &Context, placement: &Placement) -> Result<Room, CliError> {
    let found = match &placement.config.database.url {
        Some(url) if asked.is_none() => Some(ask(url.expose(), context, placement)?),
        _ => None,
    };
    if let Some(Ok(room)) = found {
        return Ok(room);
    }
    let unanswered = found.and_then(Result::err);
    let beside = context.profile().map(|profile| fragment::beside(&profile)).transpose()?.flatten();
    let mut room = match (beside, &placement.config.database.url) {
        (Some((path, fragment)), _) => Room {
            source: path.display().to_string(),
            connections_max: Some(fragment.connections_max),
            connections_reserved: fragment.connections_reserved,
            shared_buffers_bytes: Some(fragment.shared_buffers_bytes),
        },
        (None, None) => private(placement),
        (None, Some(_)) => {
            let source = "not known".to_owned();
            Room { source, connections_max: None, connections_reserved: 0, shared_buffers_bytes: None }
        }
    };
    if let Some(asked) = asked {
        room.source = "--max-connections".to_owned();
        room.connections_max = Some(asked);
        room.connections_reserved = SUPERUSERS_RESERVED;
    }
    if let Some(why) = unanswered {
        room.source = format!("{}; {why}", room.source);
    }
    Ok(room)
}

/// The inner error says why there is no answer.
fn ask(url: &str, context: &Context, placement: &Placement) -> Result<Result<Room, String>, CliError> {
    let target = serve::configured(url, context.environment())?;
    let options = serve::options(&placement.config.database);
    let asked = shards::block_on(async {
        let link = connect(&target, &options).await.map_err(|error| error.to_string())?;
        if link.server().pooled {
            return Err("DB_URL names a pooler, whose pool needs as many connections".to_owned());
        }
        let found = examine(&link).await.map_err(|error| error.to_string())?;
        let Examination { connections_max, connections_reserved, shared_buffers, here, .. } = found;
        Ok(Room {
            source: format!("PostgreSQL {} at {}", link.server().version, link.server().place),
            connections_max: Some(narrow(connections_max)),
            connections_reserved: narrow(connections_reserved),
            shared_buffers_bytes: here.then_some(shared_buffers),
        })
    });
    Ok(asked.unwrap_or_else(|error| Err(error.to_string())))
}

fn narrow(connections: u64) -> u32 {
    u32::try_from(connections).unwrap_or(u32::MAX)
}

/// `jeday serve` gives it what it needs.
fn private(placement: &Placement) -> Room {
    let connections = serve::database_connections(&placement.config, &placement.plan);
    let buffers_mib = shared_buffers_mib_for(placement.topology.memory_bytes);
    Room {
        source: "the private cluster of jeday serve".to_owned(),
        connections_max: Some(u32::try_from(connections).unwrap_or(u32::MAX).saturating_add(SPARE_CONNECTIONS)),
        connections_reserved: SUPERUSERS_RESERVED,
        shared_buffers_bytes: Some(u64::from(buffers_mib) << 20),
    }
}
