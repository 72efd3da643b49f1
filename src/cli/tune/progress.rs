//! What is told while a sweep runs, on standard error: one line that changes on a terminal, a line for each run
//! elsewhere. Never fails: a reader that has gone is no reason to stop measuring.

use super::schedule::shown;
use rustix::termios::isatty;
use std::{
    io::{self, Write},
    time::Duration,
};

/// Back to the line's beginning, and what stood there erased (ECMA-48, EL).
const AGAIN: &str = "\r\x1b[K";

/// Where progress is shown.
pub(super) struct Progress {
    terminal: bool,
}

impl Progress {
    pub(super) fn new() -> Progress {
        Progress { terminal: isatty(io::stderr()) }
    }

    /// A run begins: its number of how many, what it measures, and how long all of it will take yet.
    pub(super) fn begin(&self, number: usize, of: usize, name: &str, left: Duration) {
        if self.terminal {
            write(&format!("{AGAIN}{}", begun(number, of, name, left)));
        }
    }

    /// It has ended, with these figures or this fault. A fault gets a line that stays.
    pub(super) fn end(&self, number: usize, of: usize, name: &str, outcome: Result<&str, &str>, left: Duration) {
        match (self.terminal, outcome) {
            (true, Ok(_)) => {}
            (true, Err(fault)) => write(&format!("{AGAIN}{number}/{of} {name}: {fault}\n")),
            (false, Ok(said) | Err(said)) => {
                write(&format!("{number}/{of} {name}: {said}; {} left\n", shown(left)));
            }
        }
    }

    /// Nothing is under way any more.
    pub(super) fn clear(&self) {
        if self.terminal {
            write(AGAIN);
        }
    }

    /// A line that stays.
    pub(super) fn say(&self, text: &str) {
        let again = if self.terminal { AGAIN } else { "" };
        write(&format!("{again}{text}\n"));
    }
}

fn begun(number: usize, of: usize, name: &str, left: Duration) -> String {
    /// One line of a terminal of 80 columns: a longer one would stay when the next is written over it.
    const COLUMNS: usize = 79;
    let (start, end) = (format!("{number}/{of} "), format!(", {} left", shown(left)));
    let room = COLUMNS.saturating_sub(start.chars().count() + end.chars().count());
    let name: String = match name.chars().count() > room {
        true => name.chars().take(room.saturating_sub(1)).chain(['…']).collect(),
        false => name.to_owned(),
    };
    format!("{start}{name}{end}")
}

fn write(text: &str) {
    let mut out = io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_fits_into_one_line_of_a_terminal() {
        let left = Duration::from_secs(270);
        assert_eq!(begun(2, 18, "a", left), "2/18 a, 4 min 30 s left");
        let line = begun(2, 18, &"registration.batch_size=100 ".repeat(5), left);
        assert_eq!(line.chars().count(), 79, "{line}");
        assert!(line.ends_with("…, 4 min 30 s left"), "{line}");
    }
}
