//! A running server as its operator's address shows it: one page of metrics, and what has happened between two. Never
//! keeps a connection, and never asks the database.

use super::CliError;
use crate::config::ListenAddress;
use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// For the server to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A page of metrics has 130 kB with two shards, and 4 kB more for each other.
const PAGE_BYTES_MAX: u64 = 4 << 20;

pub(super) const METRICS: &str = "/metrics";

pub(super) const OK: u16 = 200;

/// The server of this machine, by its settings.
///
/// # Errors
/// When it has no such address, or one whose name leads nowhere.
pub(super) fn configured(address: Option<&ListenAddress>) -> Result<SocketAddr, CliError> {
    let address = address.ok_or_else(|| {
        CliError::failure("metrics are off here, so there is no server to ask").with_hint("set METRICS_ADDRESS")
    })?;
    reachable(address).map_err(|error| CliError::failed(&error))
}

/// Where a server that listens there can be reached from this machine.
pub(super) fn reachable(address: &ListenAddress) -> io::Result<SocketAddr> {
    let mut found = address.resolve()?.into_iter();
    let mut socket = found.next().ok_or_else(|| io::Error::other("the address resolves to nothing"))?;
    if socket.ip().is_unspecified() {
        socket.set_ip(match socket {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(socket)
}

/// The samples of one page by their series.
pub(super) struct Page {
    taken: Instant,
    samples: BTreeMap<String, f64>,
}

impl Page {
    /// Asks the server there.
    pub(super) fn fetch(address: SocketAddr) -> io::Result<Page> {
        match get(address, METRICS)? {
            (OK, text) => Ok(Page::parse(&text, Instant::now())),
            _ => Err(io::Error::other("what is there does not serve Jeday's metrics")),
        }
    }

    /// Takes a page apart that was there at this moment. Lines that are no samples are left out.
    pub(super) fn parse(text: &str, taken: Instant) -> Page {
        let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        });
        Page { taken, samples: samples.collect() }
    }

    /// From another page to this one.
    pub(super) fn seconds_since(&self, before: &Page) -> f64 {
        self.taken.saturating_duration_since(before.taken).as_secs_f64()
    }

    /// The series of a family, each with its labels as they are written.
    pub(super) fn family<'p>(&'p self, name: &'p str) -> impl Iterator<Item = (&'p str, f64)> {
        // Sorted, so that a family's series stand together; between them may be names that only begin alike.
        let from_here = self.samples.range(name.to_owned()..).take_while(move |(series, _)| series.starts_with(name));
        from_here.filter_map(move |(series, value)| {
            let labels = series.strip_prefix(name)?;
            (labels.is_empty() || labels.starts_with('{')).then_some((labels, *value))
        })
    }

    pub(super) fn sum(&self, name: &str) -> f64 {
        self.sum_where(name, |_| true)
    }

    /// Of the series whose labels fit.
    pub(super) fn sum_where(&self, name: &str, fits: impl Fn(&str) -> bool) -> f64 {
        // From 0, because the sum of no floats is -0.
        self.family(name).filter(|(labels, _)| fits(labels)).fold(0.0, |sum, (_, value)| sum + value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.family(name).next().is_some()
    }

    /// One series with its labels as they are written; 0 where it is not there, as a counter is before it counts.
    pub(super) fn value(&self, series: &str) -> f64 {
        self.samples.get(series).copied().unwrap_or(0.0)
    }
}

/// Status and body of the answer.
pub(super) fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut reply = String::new();
    stream.take(PAGE_BYTES_MAX).read_to_string(&mut reply)?;
    let answer = reply.split_once("\r\n\r\n").and_then(|(head, body)| {
        let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        Some((status, body.to_owned()))
    });
    answer.ok_or_else(|| io::Error::other("what is there does not speak HTTP/1.1"))
}

/// A label's value out of `{name="value",...}`.
pub(super) fn label<'l>(labels: &'l str, name: &str) -> &'l str {
    let value = labels.split(['{', ',', '}']).find_map(|pair| pair.strip_prefix(name)?.strip_prefix("=\""));
    value.and_then(|value| value.strip_suffix('"')).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_its_own_series_and_not_those_that_begin_alike() {
        let text =
            "# HELP a_b Something.\na_b{x=\"1\",y=\"2\"} 3\na_b_sum 50\na_b{x=\"2\",y=\"2\"} 4.5\na_bc 9\nnonsense\n";
        let page = Page::parse(text, Instant::now());
        let series: Vec<_> = page.family("a_b").map(|(labels, value)| (label(labels, "x"), value)).collect();
        assert_eq!(series, [("1", 3.0), ("2", 4.5)]);
        assert_eq!((page.sum("a_b"), page.sum("a_b_sum"), page.has("a")), (7.5, 50.0, false));
        assert_eq!((page.value("a_b{x=\"1\",y=\"2\"}"), page.value("a_b")), (3.0, 0.0));
    }
}
