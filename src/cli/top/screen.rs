//! The terminal: taken, drawn to, listened to, and given back however the program ends. Each server is asked by a
//! thread of its own, so that one that does not answer holds up no other and no key.

use super::{
    server::Server,
    view::{Sort, View},
};
use crate::cli::scrape::Page;
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    flag, low_level,
};
use std::{
    io, mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// How long a key, a page or a signal may wait; an idle picture wakes up as seldom as this.
const TURN: Duration = Duration::from_millis(100);

/// What came of asking the server with this number.
type Look = (usize, io::Result<Page>);

/// The terminal, as long as it is ours. A panic gives it back before its message is printed, by a hook that taking it
/// has set.
struct Screen(DefaultTerminal);

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Shows the servers until a key or a signal ends it.
///
/// # Errors
/// When the terminal cannot be used.
pub(super) fn watch(servers: Vec<Server>, interval: Duration) -> io::Result<()> {
    let caught = Arc::new(AtomicUsize::new(0));
    for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT] {
        flag::register_usize(signal, Arc::clone(&caught), signal.unsigned_abs() as usize)?;
    }
    let looks = ask(&servers, interval)?;
    let mut screen = Screen(ratatui::try_init()?);
    let mut picture = Picture::of(servers);
    let mut beyond = 0;
    let signal = loop {
        let now = Instant::now();
        for (number, look) in looks.try_iter() {
            picture.take(number, look, now);
        }
        if mem::take(&mut picture.stale) {
            screen.0.draw(|frame| beyond = picture.view(interval, now).draw(frame))?;
        }
        if !turn(&mut picture, beyond)? {
            return Ok(());
        }
        match caught.load(Ordering::Relaxed) {
            0 => {}
            signal => break signal,
        }
    };
    drop(screen);
    // Whoever sent the signal sees that it was what ended the program.
    low_level::emulate_default_handler(i32::try_from(signal).unwrap_or(SIGTERM))
}

/// Waits for what the user does; false when that is to leave.
fn turn(picture: &mut Picture, beyond: u16) -> io::Result<bool> {
    // Several keys may have come at once; each is answered before the next picture.
    let mut patience = TURN;
    while event::poll(patience)? {
        let event = event::read()?;
        picture.stale = true;
        if let Event::Key(key) = event
            && !picture.press(key, beyond)
        {
            return Ok(false);
        }
        patience = Duration::ZERO;
    }
    Ok(true)
}

/// Starts a thread for each server. They end when nobody listens to them any more.
fn ask(servers: &[Server], interval: Duration) -> io::Result<mpsc::Receiver<Look>> {
    let (tell, looks) = mpsc::channel();
    for (number, server) in servers.iter().enumerate() {
        let (tell, address) = (tell.clone(), server.address());
        let ask = move || {
            while tell.send((number, Page::fetch(address))).is_ok() {
                thread::sleep(interval);
            }
        };
        thread::Builder::new().name(format!("look {number}")).spawn(ask)?;
    }
    Ok(looks)
}

/// What is shown, and how the user wants it shown.
struct Picture {
    servers: Vec<Server>,
    selected: usize,
    sort: Sort,
    paused: bool,
    scrolled: u16,
    /// What is on the terminal is not this.
    stale: bool,
}

impl Picture {
    fn of(servers: Vec<Server>) -> Picture {
        Picture { servers, selected: 0, sort: Sort::default(), paused: false, scrolled: 0, stale: true }
    }

    fn view(&self, interval: Duration, now: Instant) -> View<'_> {
        let Picture { servers, selected, sort, paused, scrolled, stale: _ } = self;
        View { servers, selected: *selected, sort: *sort, paused: *paused, scrolled: *scrolled, interval, now }
    }

    /// While the picture is held, what comes in is left out.
    fn take(&mut self, number: usize, look: io::Result<Page>, now: Instant) {
        if !self.paused {
            self.servers[number].take(look, now);
            self.stale = true;
        }
    }

    /// Does what a key says; false when that is to leave.
    fn press(&mut self, key: KeyEvent, beyond: u16) -> bool {
        if key.kind == KeyEventKind::Release {
            return true;
        }
        let last = self.servers.len() - 1;
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return false,
            // Raw mode makes no signal of it.
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return false,
            KeyCode::Char(' ') => self.paused = !self.paused,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Tab | KeyCode::Right => self.select(if self.selected == last { 0 } else { self.selected + 1 }),
            KeyCode::BackTab | KeyCode::Left => self.select(if self.selected == 0 { last } else { self.selected - 1 }),
            KeyCode::Down => self.scrolled = self.scrolled.saturating_add(1).min(beyond),
            KeyCode::Up => self.scrolled = self.scrolled.min(beyond).saturating_sub(1),
            _ => {}
        }
        true
    }

    fn select(&mut self, server: usize) {
        (self.selected, self.scrolled) = (server, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::top::{
        pages::{BUSY, QUIET, pages},
        server::State,
    };

    fn picture(servers: u16) -> Picture {
        let server = |number| Server::new(format!("server {number}"), ([127, 0, 0, 1], number).into());
        Picture::of((1..=servers).map(server).collect())
    }

    fn press(picture: &mut Picture, code: KeyCode) -> bool {
        picture.press(KeyEvent::new(code, KeyModifiers::NONE), 2)
    }

    #[test]
    fn keys_choose_servers_in_a_ring() {
        let mut picture = picture(3);
        let chosen = [KeyCode::Left, KeyCode::Left, KeyCode::Tab, KeyCode::Right, KeyCode::BackTab].map(|code| {
            assert!(press(&mut picture, code));
            picture.selected
        });
        assert_eq!(chosen, [2, 1, 2, 0, 2]);
    }

    #[test]
    fn scrolling_ends_where_the_lines_do() {
        let mut picture = picture(2);
        let seen = [KeyCode::Up, KeyCode::Down, KeyCode::Down, KeyCode::Down, KeyCode::Up, KeyCode::Tab].map(|code| {
            press(&mut picture, code);
            picture.scrolled
        });
        assert_eq!(seen, [0, 1, 2, 2, 1, 0]);
    }

    #[test]
    fn a_held_picture_takes_nothing_in() {
        let mut picture = picture(1);
        let (before, now) = pages(QUIET, BUSY, 2);
        picture.take(0, Ok(before), Instant::now());
        press(&mut picture, KeyCode::Char(' '));
        picture.take(0, Err(io::Error::other("gone")), Instant::now());
        assert!(picture.servers[0].answers());
        press(&mut picture, KeyCode::Char(' '));
        picture.take(0, Ok(now), Instant::now());
        assert!(matches!(picture.servers[0].state(), State::Up(_)));
    }

    #[test]
    fn leaving_is_q_escape_or_control_c() {
        let mut picture = picture(1);
        assert!(!press(&mut picture, KeyCode::Char('q')));
        assert!(!press(&mut picture, KeyCode::Esc));
        assert!(press(&mut picture, KeyCode::Char('c')));
        assert!(!picture.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL), 0));
    }
}
