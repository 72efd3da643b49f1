//! A way to the database through which, when told so, nothing comes any more, or everything comes late.

use crate::random;
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

/// How what is sent comes through.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    /// In each direction.
    pub(crate) delay: Duration,
    /// Of what is sent at once, this share is lost and sent again, in percent.
    pub(crate) loss_percent: u64,
    /// How long it takes until it is sent again; whatever is sent after it waits, as in TCP.
    pub(crate) sent_again_after: Duration,
    /// Which of it is lost.
    pub(crate) seed: u64,
}

/// A way to the database that can be closed without anybody being told.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    way: Arc<Way>,
}

#[derive(Default)]
struct Way {
    weather: Weather,
    closed: AtomicBool,
    /// How often the client's turn was followed by the database's, on all connections together.
    round_trips: AtomicU64,
    /// What was sent at once, and what of it was lost.
    sent: AtomicU64,
    lost: AtomicU64,
}

impl Proxy {
    /// Where everything comes through at once.
    pub(crate) fn start(port: u16) -> Proxy {
        Proxy::in_weather(port, Weather::default())
    }

    pub(crate) fn in_weather(port: u16, weather: Weather) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let way = Arc::new(Way { weather, ..Way::default() });
        let proxy = Proxy { address, way: way.clone() };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let asked = Arc::new(AtomicBool::new(false));
                for (from, to, is_client) in [(&client, &server, true), (&server, &client, false)] {
                    to.set_nodelay(true).unwrap();
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let (sender, receiver) = mpsc::channel();
                    let (way, asked) = (way.clone(), asked.clone());
                    thread::spawn(move || way.read(&from, is_client, &asked, &sender));
                    thread::spawn(move || write(&to, &receiver));
                }
            }
        });
        proxy
    }

    pub(crate) fn close(&self, closed: bool) {
        self.way.closed.store(closed, Ordering::Relaxed);
    }

    pub(crate) fn round_trips(&self) -> u64 {
        self.way.round_trips.load(Ordering::Relaxed)
    }

    /// How much of what was sent at once was lost.
    pub(crate) fn lost(&self) -> u64 {
        self.way.lost.load(Ordering::Relaxed)
    }
}

impl Way {
    /// What is read while the way is closed is lost, and the connection with it, as its packets would be.
    fn read(&self, mut from: &TcpStream, is_client: bool, asked: &AtomicBool, to: &Sender<(Instant, Vec<u8>)>) {
        from.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut lossy = false;
        let mut last_due = Instant::now();
        let mut buffer = [0; 16 << 10];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(_) if lossy || self.closed.load(Ordering::Relaxed) => lossy = true,
                Ok(count) => {
                    if asked.swap(is_client, Ordering::Relaxed) && !is_client {
                        self.round_trips.fetch_add(1, Ordering::Relaxed);
                    }
                    let number = self.sent.fetch_add(1, Ordering::Relaxed);
                    let mut takes = self.weather.delay;
                    if random(self.weather.seed, number, 100) < self.weather.loss_percent {
                        self.lost.fetch_add(1, Ordering::Relaxed);
                        takes += self.weather.sent_again_after;
                    }
                    last_due = last_due.max(Instant::now() + takes);
                    if to.send((last_due, buffer[..count].to_vec())).is_err() {
                        break;
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
    }
}

/// Passes on what has come, when it is due; ends the connection when no more comes.
fn write(mut to: &TcpStream, from: &Receiver<(Instant, Vec<u8>)>) {
    for (due, bytes) in from {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}
