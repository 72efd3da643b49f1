//! Pictures as they are seen, on terminals of two sizes and as text.

use super::*;
use crate::cli::top::pages::{BUSY, QUIET, pages};
use expect_test::{ExpectFile, expect_file};
use ratatui::{Terminal, backend::TestBackend};
use std::io;

const EVERY: Duration = Duration::from_secs(1);

fn busy(name: &str) -> Server {
    let (before, now) = pages(QUIET, BUSY, 2);
    let mut server = Server::new(name.to_owned(), ([127, 0, 0, 1], 8081).into());
    server.take(Ok(before), Instant::now());
    server.take(Ok(now), Instant::now());
    server
}

fn gone(name: &str, since: Instant) -> Server {
    let mut server = Server::new(name.to_owned(), ([127, 0, 0, 1], 1).into());
    server.take(Err(io::Error::from_raw_os_error(111)), since);
    server
}

fn drawn(view: &View<'_>, columns: u16, rows: u16, expected: &ExpectFile) -> u16 {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    let mut beyond = 0;
    terminal.draw(|frame| beyond = view.draw(frame)).unwrap();
    expected.assert_eq(&terminal.backend().to_string());
    beyond
}

#[test]
fn one_server_fits_into_80_columns_and_24_rows() {
    let servers = [busy("127.0.0.1:8081")];
    let view = View { servers: &servers, interval: EVERY, ..View::default() };
    assert_eq!(drawn(&view, 80, 24, &expect_file!["pictures/one_server_80x24.txt"]), 0);
}

#[test]
fn several_servers_are_listed_above_the_chosen_one() {
    let since = Instant::now();
    let mut waiting = Server::new("[2001:db8::7]:8081".to_owned(), ([127, 0, 0, 1], 2).into());
    waiting.take(Ok(pages(QUIET, BUSY, 2).0), since);
    let servers = [gone("auth-1.example.net:8081", since), waiting, busy("10.0.0.8:8081")];
    let now = since + Duration::from_secs(95);
    let chosen = View { servers: &servers, selected: 2, paused: true, interval: EVERY, now, ..View::default() };
    drawn(&chosen, 120, 40, &expect_file!["pictures/several_servers_120x40.txt"]);
    let down = View { selected: 0, paused: false, ..chosen };
    drawn(&down, 80, 10, &expect_file!["pictures/server_that_is_gone_80x10.txt"]);
}

#[test]
fn what_does_not_fit_can_be_scrolled_to() {
    let servers = [busy("127.0.0.1:8081")];
    let view = View { servers: &servers, scrolled: u16::MAX, interval: EVERY, ..View::default() };
    let beyond = drawn(&view, 80, 6, &expect_file!["pictures/scrolled_80x6.txt"]);
    assert_eq!(usize::from(beyond), view.lines(80).len() - 5);
}

#[test]
fn sorting_puts_the_largest_first() {
    let servers = [busy("here")];
    let State::Up(figures) = servers[0].state() else { panic!("it answers") };
    let order = |sort: Sort| {
        let mut shards: Vec<&Shard> = figures.shards.iter().rev().collect();
        sort.apply(&mut shards);
        shards.iter().map(|shard| shard.number).collect::<Vec<_>>()
    };
    assert_eq!(order(Sort::Requests), [0, 10, 1]);
    assert_eq!(order(Sort::Latency), [0, 10, 1]);
    assert_eq!(order(Sort::Busy), [0, 10, 1]);
    assert_eq!(order(Sort::Number), [10, 1, 0], "as they come");
    let every = [Sort::Number, Sort::Requests, Sort::Latency, Sort::Busy];
    assert_eq!(every.map(Sort::next), [Sort::Requests, Sort::Latency, Sort::Busy, Sort::Number]);
}

#[test]
fn plain_text_has_no_line_of_more_than_80_columns() {
    let (servers, many) = ([busy("127.0.0.1:8081")], [busy("a"), gone("b", Instant::now())]);
    for servers in [&servers[..], &many] {
        let text = View { servers, interval: EVERY, ..View::default() }.text(COLUMNS_MIN);
        assert!(text.lines().all(|line| line.chars().count() <= 80 && line.trim_end() == line), "{text}");
        assert!(text.contains("\nrequests    600/s  p50 "), "{text}");
    }
}

#[test]
fn times_and_ages_are_short_at_every_size() {
    let times = [0.0, 0.000_85, 0.001_25, 0.083_4, 0.25, 0.999_9, 13.1].map(time);
    assert_eq!(times, ["0 us", "850 us", "1.2 ms", "83.4 ms", "250 ms", "1.0 s", "13.1 s"]);
    assert_eq!([12.4, 600.0, 10_800.0, 864_000.0].map(age), ["12 s", "10 min", "3 h", "10 d"]);
}
