//! The batched statements of one shard, each with its queue, over two groups of connections: reads never queue behind
//! commits.

use super::Config;
use crate::{
    batch::{Group, GroupBuilder, Intake, Window},
    limits::{ONCE_QUEUE_MAX, SESSION_BATCH_MAX, SESSION_QUEUE_MAX},
    postgres::connect::UNREACHABLE,
    postgres::statements::{
        BatchedStatement, end_all_sessions::EndAllSessions, end_session::EndSession, expire_keys::ExpireKeys,
        expire_sessions::ExpireSessions, find_credentials::FindCredentials, find_refresh::FindRefresh,
        find_session::FindSession, harden::Harden, list_sessions::ListSessions, register::Register,
        register_once::RegisterOnce, rotate_session::RotateSession, start_session::StartSession,
    },
    telemetry::Recorder,
};
use std::time::Duration;

/// The queue in front of a statement.
pub(crate) type Queue<S> = Intake<<S as BatchedStatement>::Item, <S as BatchedStatement>::Outcome>;

/// Every statement of a shard.
pub(crate) struct Statements {
    pub(crate) register: Queue<Register>,
    pub(crate) register_once: Queue<RegisterOnce>,
    pub(crate) find_credentials: Queue<FindCredentials>,
    pub(crate) find_session: Queue<FindSession>,
    pub(crate) find_refresh: Queue<FindRefresh>,
    pub(crate) list_sessions: Queue<ListSessions>,
    pub(crate) start_session: Queue<StartSession>,
    pub(crate) rotate_session: Queue<RotateSession>,
    pub(crate) end_session: Queue<EndSession>,
    pub(crate) end_all_sessions: Queue<EndAllSessions>,
    pub(crate) harden: Queue<Harden>,
    pub(crate) expire_keys: Queue<ExpireKeys>,
    pub(crate) expire_sessions: Queue<ExpireSessions>,
    write: Group,
    read: Group,
}

impl Statements {
    /// Starts connecting.
    pub(super) fn start(config: &Config, metrics: &Recorder) -> Statements {
        let sessions = Window { length_max: SESSION_BATCH_MAX, wait: Duration::ZERO };
        let one_step = Window { length_max: 1, wait: Duration::ZERO };
        let mut write = GroupBuilder::new(config.write.clone(), metrics.clone());
        let mut read = GroupBuilder::for_reads(config.read.clone(), metrics.clone());
        Statements {
            register: write.statement::<Register>(config.registration, config.registration_queue_max),
            register_once: write.statement::<RegisterOnce>(config.registration, ONCE_QUEUE_MAX),
            start_session: write.statement::<StartSession>(sessions, SESSION_QUEUE_MAX),
            rotate_session: write.statement::<RotateSession>(sessions, SESSION_QUEUE_MAX),
            end_session: write.statement::<EndSession>(sessions, SESSION_QUEUE_MAX),
            end_all_sessions: write.statement::<EndAllSessions>(sessions, SESSION_QUEUE_MAX),
            harden: write.statement::<Harden>(sessions, SESSION_QUEUE_MAX),
            expire_keys: write.statement::<ExpireKeys>(one_step, 1),
            expire_sessions: write.statement::<ExpireSessions>(one_step, 1),
            find_credentials: read.statement::<FindCredentials>(sessions, SESSION_QUEUE_MAX),
            find_session: read.statement::<FindSession>(sessions, SESSION_QUEUE_MAX),
            find_refresh: read.statement::<FindRefresh>(sessions, SESSION_QUEUE_MAX),
            list_sessions: read.statement::<ListSessions>(sessions, SESSION_QUEUE_MAX),
            write: write.start(),
            read: read.start(),
        }
    }

    /// Resolves once there is a connection for writing and one for reading.
    pub(super) async fn reached(&self) {
        self.write.ready().await;
        self.read.ready().await;
    }

    /// What keeps this shard from reading or from writing just now, in short.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let groups = [&self.write, &self.read].map(Group::state);
        let down = groups.into_iter().find(|group| group.up == 0)?;
        Some(down.failure.map_or(UNREACHABLE, |failure| failure.in_short()))
    }

    /// Sends what is queued, then closes every connection.
    pub(super) async fn drain(&self) {
        self.read.drain().await;
        self.write.drain().await;
    }
}
