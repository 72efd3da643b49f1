//! Clients that register users as fast as they are answered, each on its own thread, and write down every answer. They
//! take what comes: refused connections, resets, halves of replies.

use crate::{
    journal::{Journal, Told},
    support::{
        client::{Client, registration, user},
        server::PATIENCE,
    },
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A load under way.
pub(crate) struct Load {
    clients: Vec<JoinHandle<Journal>>,
    shared: Arc<Shared>,
}

struct Shared {
    address: SocketAddr,
    stop: AtomicBool,
    created: AtomicUsize,
}

impl Load {
    /// So many clients. Half of them try again with the same `Idempotency-Key` until they know; the others take a new
    /// address after each answer, so that none of them may ever see a conflict.
    pub(crate) fn start(address: SocketAddr, name: &str, clients: usize) -> Load {
        let shared = Arc::new(Shared { address, stop: AtomicBool::new(false), created: AtomicUsize::new(0) });
        let client = |number: usize| {
            let (shared, name) = (shared.clone(), format!("{name}-{number}"));
            thread::spawn(move || client(&shared, &name, number % 2 == 1))
        };
        Load { clients: (0..clients).map(client).collect(), shared }
    }

    /// Waits until so many more users are confirmed.
    pub(crate) fn await_created(&self, more: usize) {
        let wanted = self.shared.created.load(Ordering::Relaxed) + more;
        let until = Instant::now() + PATIENCE;
        while self.shared.created.load(Ordering::Relaxed) < wanted {
            assert!(Instant::now() < until, "no {more} users were confirmed");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets every client finish what it is at.
    pub(crate) fn stop(self) -> Journal {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut journal = Journal::default();
        for client in self.clients {
            let one = client.join().unwrap();
            journal.entries.extend(one.entries);
            journal.longest = journal.longest.max(one.longest);
        }
        journal
    }
}

fn client(shared: &Shared, name: &str, is_patient: bool) -> Journal {
    let mut journal = Journal::default();
    let mut connection = None;
    for number in 0.. {
        let email = format!("{name}-{number}@load.example");
        // What an earlier attempt left open, no later one's 503 settles.
        let mut doubt = None;
        loop {
            let is_last = shared.stop.load(Ordering::Relaxed);
            let key = [("Idempotency-Key", email.as_str())];
            let request = registration(if is_patient { &key } else { &[] }, &user(&email));
            let asked = Instant::now();
            let told = send(shared.address, &mut connection, &request);
            journal.longest = journal.longest.max(asked.elapsed());
            match &told {
                Told::Created(_) => drop(shared.created.fetch_add(1, Ordering::Relaxed)),
                // Not a storm: a server that has ended refuses thousands of connections in a second.
                _ => thread::sleep(Duration::from_millis(5)),
            }
            let is_open = matches!(&told, Told::Nothing | Told::Problem(503, ..));
            if told == Told::Nothing || matches!(&told, Told::Problem(_, code, _) if code == "outcome_unknown") {
                doubt = Some(told.clone());
            }
            if !is_open || is_last || !is_patient {
                journal.entries.push((email, doubt.filter(|_| is_open).unwrap_or(told)));
                break;
            }
        }
        if shared.stop.load(Ordering::Relaxed) {
            break;
        }
    }
    journal
}

fn send(address: SocketAddr, connection: &mut Option<Client>, request: &[u8]) -> Told {
    let mut exchange = || {
        let mut client = connection.take().or_else(|| Client::try_connect(address))?;
        let reply = client.try_exchange(request)?;
        let told = match reply.status {
            201 => Told::Created(reply.json()["id"].as_str().unwrap().to_owned()),
            status => Told::Problem(status, reply.code(), reply.field("Retry-After").is_some()),
        };
        *connection = reply.keeps_alive().then_some(client);
        Some(told)
    };
    exchange().unwrap_or(Told::Nothing)
}
