//! A collector that takes everything and looks at nothing: what a server tells it costs the server alone.

use crate::support::Outcome;
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

/// A running collector; it ends with the bench.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    messages: Arc<AtomicU64>,
}

impl Sink {
    pub(crate) fn start() -> Outcome<Sink> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let sink = Sink { address: listener.local_addr()?, messages: Arc::default() };
        let messages = sink.messages.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let messages = messages.clone();
                // An error is a server that has ended.
                thread::spawn(move || serve(stream, &messages));
            }
        });
        Ok(sink)
    }

    /// Messages that were taken so far.
    pub(crate) fn messages(&self) -> u64 {
        self.messages.load(Relaxed)
    }
}

fn serve(stream: TcpStream, messages: &AtomicU64) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let mut body_bytes = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            match line.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    body_bytes = value.trim().parse().map_err(io::Error::other)?;
                }
                _ if line == "\r\n" => break,
                _ => {}
            }
        }
        io::copy(&mut reader.by_ref().take(body_bytes), &mut io::sink())?;
        messages.fetch_add(1, Relaxed);
        writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    }
}
