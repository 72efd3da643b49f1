//! What is known of one server from one look to the next: its figures, or since when it does not answer. Fetches
//! nothing itself.

use super::figures::Figures;
use crate::cli::{error::plain, scrape::Page};
use std::{io, net::SocketAddr, time::Instant};

/// One server that is watched.
pub(super) struct Server {
    name: String,
    address: SocketAddr,
    before: Option<Page>,
    state: State,
}

/// How it stands with a server.
pub(super) enum State {
    /// It takes two pages of one process to tell what happens.
    Waiting,
    /// It answers.
    Up(Box<Figures>),
    /// It does not.
    Down {
        /// Since when it was asked in vain.
        since: Instant,
        /// Why, in the system's words.
        reason: String,
    },
}

impl Server {
    /// A server that nobody has asked yet.
    pub(super) fn new(name: String, address: SocketAddr) -> Server {
        Server { name, address, before: None, state: State::Waiting }
    }

    /// As the user wrote it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where it is asked.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn answers(&self) -> bool {
        !matches!(self.state, State::Down { .. })
    }

    /// Takes in what came of a look.
    pub(super) fn take(&mut self, look: io::Result<Page>, now: Instant) {
        self.state = match &look {
            Ok(page) => match self.before.as_ref().and_then(|before| Figures::between(before, page)) {
                Some(figures) => State::Up(Box::new(figures)),
                None => State::Waiting,
            },
            Err(error) => {
                let since = match self.state {
                    State::Down { since, .. } => since,
                    _ => now,
                };
                State::Down { since, reason: plain(error) }
            }
        };
        self.before = look.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::top::pages::{BUSY, QUIET};
    use std::time::Duration;

    fn refused() -> io::Result<Page> {
        Err(io::Error::from_raw_os_error(111))
    }

    #[test]
    fn a_server_that_went_away_comes_back_by_itself() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let page = |text, second| Ok(Page::parse(text, at(second)));
        let mut server = Server::new("here".to_owned(), ([127, 0, 0, 1], 1).into());
        server.take(page(QUIET, 0), at(0));
        assert!(matches!(server.state(), State::Waiting) && server.answers());
        server.take(page(BUSY, 2), at(2));
        assert!(matches!(server.state(), State::Up(figures) if figures.requests_per_s == 600.0));
        for second in [4, 6] {
            server.take(refused(), at(second));
            let State::Down { since, reason } = server.state() else { panic!("it is gone") };
            assert_eq!((*since, reason.as_str()), (at(4), "Connection refused"), "since it was first asked in vain");
        }
        assert!(!server.answers());
        // What it had counted before it went is no measure of what it does now.
        server.take(page(BUSY, 8), at(8));
        assert!(matches!(server.state(), State::Waiting));
        server.take(page(BUSY, 10), at(10));
        assert!(matches!(server.state(), State::Up(figures) if figures.requests_per_s == 0.0));
    }
}
