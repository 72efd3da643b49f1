//! What a plan takes of memory and of PostgreSQL's connections, and whether that is there. A pure function of the
//! settings, the machine and PostgreSQL's room.

use super::{Placement, room::Room, serve};
use crate::{hardening::core, limits::BACKLOG_WORKERS};
use serde_json::{Value, json};
use shards::topology::{item, size};

/// A client connection beside its buffers, from `make bench-register`: 2.2 KiB while it is idle.
const CLIENT_BYTES: u64 = 3 << 10;

/// A process of PostgreSQL, one a connection: 5 MiB of its own once it has run Jeday's statements, and the page tables
/// of what it touches of the shared buffers.
const BACKEND_BYTES: u64 = 8 << 20;

/// One of the things that take memory.
struct Part {
    bytes: u64,
    what: String,
    /// How it becomes less.
    remedy: &'static str,
}

/// Something that is not there, and what to change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shortfall {
    pub(super) message: String,
    pub(super) remedy: String,
}

/// Needs beside what there is.
pub(super) struct Budget {
    memory_bytes: u64,
    hash_bytes: u64,
    parts: Vec<Part>,
    shards: usize,
    write_connections: usize,
    read_connections: usize,
    groups: usize,
    connections: usize,
    room: Room,
}

impl Budget {
    pub(super) fn of(placement: &Placement, room: Room) -> Budget {
        let Placement { config, plan, topology, hash, .. } = placement;
        let connections = serve::database_connections(config, plan);
        let (workers, bytes_each) = (core::worker_count(plan), hash.memory_bytes());
        let clients = config.server.connections_max as u64;
        let client_bytes = CLIENT_BYTES + (config.server.header_bytes_max + config.server.body_bytes_max) as u64;
        let hash_bytes = bytes_each * workers as u64;
        let mut parts = vec![
            Part {
                bytes: hash_bytes,
                what: format!("for hashing, {workers} x {}, held from the start", size(bytes_each)),
                remedy: "cores.password_cores or hardening.memory",
            },
            Part {
                bytes: clients * client_bytes,
                what: format!("for {clients} client connections, each with full buffers of {}", size(client_bytes)),
                remedy: "server.connections_max",
            },
        ];
        if let Some(buffers) = room.shared_buffers_bytes {
            parts.push(Part {
                bytes: buffers + connections as u64 * BACKEND_BYTES,
                what: format!(
                    "for PostgreSQL, shared_buffers of {} and {connections} x {}",
                    size(buffers),
                    size(BACKEND_BYTES)
                ),
                remedy: "PostgreSQL's shared_buffers",
            });
        }
        Budget {
            memory_bytes: topology.memory_bytes,
            hash_bytes,
            parts,
            shards: plan.shards.len(),
            write_connections: config.database.write_connections,
            read_connections: config.database.read_connections,
            groups: plan.groups.len(),
            connections,
            room,
        }
    }

    fn needed_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }

    /// What is not there; empty when the plan fits.
    pub(super) fn shortfalls(&self) -> Vec<Shortfall> {
        self.memory_shortfall().into_iter().chain(self.connection_shortfall()).collect()
    }

    fn memory_shortfall(&self) -> Option<Shortfall> {
        let needed = self.needed_bytes();
        let largest = self.parts.iter().max_by_key(|part| part.bytes)?;
        (needed > self.memory_bytes).then(|| Shortfall {
            message: format!("{} of memory are needed, and there are {}", size(needed), size(self.memory_bytes)),
            remedy: format!(
                "lower {}, which takes the most, or give the machine {} more",
                largest.remedy,
                size(needed - self.memory_bytes)
            ),
        })
    }

    fn connection_shortfall(&self) -> Option<Shortfall> {
        let most = self.room.connections_max?;
        let reserved = self.room.connections_reserved;
        let free = most.saturating_sub(reserved) as usize;
        (self.connections > free).then(|| Shortfall {
            message: format!(
                "{} connections to PostgreSQL are needed, and max_connections = {most} leaves {free}",
                self.connections
            ),
            remedy: format!(
                "set max_connections of PostgreSQL to {} or more, or lower cores.request_shards, \
                 database.write_connections or database.read_connections",
                self.connections + reserved as usize
            ),
        })
    }

    /// For a terminal, within 80 columns.
    pub(super) fn render(&self) -> String {
        let mut out = String::new();
        let mut line = |text: String| out += &(text + "\n");
        line(format!("Memory: {} of {}", size(self.needed_bytes()), size(self.memory_bytes)));
        for part in &self.parts {
            line(format!("{:>10} {}", size(part.bytes), part.what));
        }
        line(match self.room.connections_max {
            Some(most) => format!("\nConnections to PostgreSQL: {} of {most}", self.connections),
            None => format!("\nConnections to PostgreSQL: {}", self.connections),
        });
        let Self { shards, write_connections: write, read_connections: read, groups, .. } = self;
        line(format!("{:>10} for shards, {shards} x ({write} to write, {read} to read)", shards * (write + read)));
        line(format!("{:>10} for the durable queue of passwords", groups * BACKLOG_WORKERS));
        line(format!("{:>10} at the start", 1));
        if self.room.connections_reserved > 0 {
            line(format!("{:>10} kept by PostgreSQL for its administrators", self.room.connections_reserved));
        }
        out += &format!("\n{}", item(&format!("What PostgreSQL has: {}.", self.room.source)));
        let shortfalls = self.shortfalls();
        if !shortfalls.is_empty() {
            out += "\nThis does not fit:\n";
        }
        for Shortfall { message, remedy } in shortfalls {
            out += &item(&format!("{message}: {remedy}."));
        }
        out
    }

    /// The same as members of a JSON object.
    pub(super) fn add_to(&self, document: &mut Value) {
        let problems: Vec<_> = (self.shortfalls().iter())
            .map(|Shortfall { message, remedy }| json!({ "message": message, "remedy": remedy }))
            .collect();
        document["hash_memory_bytes"] = self.hash_bytes.into();
        document["memory"] = json!({ "needed_bytes": self.needed_bytes(), "machine_bytes": self.memory_bytes });
        document["postgresql"] = json!({
            "connections": self.connections,
            "max_connections": self.room.connections_max,
            "reserved_connections": self.room.connections_reserved,
            "shared_buffers_bytes": self.room.shared_buffers_bytes,
            "source": self.room.source,
        });
        document["problems"] = problems.into();
    }
}
