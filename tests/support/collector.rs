//! A collector of traces for tests: takes OTLP over HTTP, answers as it is told to, and reads the messages by the
//! numbers of their fields alone, so that nothing is shared with who has written them.
#![allow(dead_code, clippy::unwrap_used)]

use super::server::PATIENCE;
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

/// What a collector does with a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// Answers with this status.
    Status(u16),
    /// Takes it but for so many spans of it, fewer than 128.
    LeavesOut(u8),
    /// Does not answer.
    Hang,
}

/// A collector on a port of its own. Its threads end with the test's process.
pub(crate) struct Collector {
    address: SocketAddr,
    taken: Receiver<Message>,
}

/// A message that was answered with 200.
#[derive(Debug)]
pub(crate) struct Message {
    /// Its path.
    pub(crate) path: String,
    /// Attributes of the resource.
    pub(crate) resource: BTreeMap<String, String>,
    pub(crate) spans: Vec<Span>,
}

/// A span; names are in hexadecimal digits, times in nanoseconds since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty for the first of its trace.
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) kind: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) attributes: BTreeMap<String, String>,
    /// 0 when it is not set.
    pub(crate) status: u64,
    pub(crate) flags: u64,
}

impl Collector {
    /// A collector that answers the message of each number, from 0 on, like this.
    pub(crate) fn start(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (taken, receiver) = channel();
        let (answer, number) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, number, taken) = (answer.clone(), number.clone(), taken.clone());
                thread::spawn(move || serve(stream, |_| answer(number.fetch_add(1, Ordering::Relaxed)), &taken));
            }
        });
        Collector { address, taken: receiver }
    }

    /// The setting that leads a server to it.
    pub(crate) fn setting(&self) -> String {
        format!("tracing.collector=http://{}", self.address)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the next message.
    pub(crate) fn await_message(&self) -> Message {
        self.taken.recv_timeout(PATIENCE).expect("a message comes")
    }

    /// Waits for a span of this name.
    pub(crate) fn await_span(&self, name: &str) -> Span {
        loop {
            if let Some(span) = self.await_message().spans.into_iter().find(|span| span.name == name) {
                return span;
            }
        }
    }

    /// What has come and was not asked for.
    pub(crate) fn rest(&self) -> Vec<Span> {
        self.taken.try_iter().flat_map(|message| message.spans).collect()
    }
}

/// One connection. Takes a message in before it answers, so that whoever is told of success can look for it.
fn serve(stream: TcpStream, answer: impl Fn(&Message) -> Answer, taken: &Sender<Message>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some(message) = read(&mut reader) {
        let reply = match answer(&message) {
            Answer::Status(200) => {
                let _ = taken.send(message);
                reply(200, &[])
            }
            Answer::Status(status) => reply(status, &[]),
            // partial_success { rejected_spans }
            Answer::LeavesOut(spans) => reply(200, &[0x0a, 0x02, 0x08, spans]),
            Answer::Hang => {
                // Until the other side gives up.
                let _ = reader.read(&mut [0]);
                return;
            }
        };
        if writer.write_all(&reply).is_err() {
            return;
        }
    }
}

fn reply(status: u16, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} x\r\nRetry-After: 0\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn read(reader: &mut impl BufRead) -> Option<Message> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0).map(|_| line.trim_end().to_owned())
    };
    let request_line = line()?;
    let mut fields = BTreeMap::new();
    while let Some((name, value)) = line()?.split_once(':') {
        fields.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    assert_eq!(fields["content-type"], "application/x-protobuf");
    let mut body = vec![0; fields["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    let mut words = request_line.split(' ');
    assert_eq!(words.next(), Some("POST"));
    let path = words.next().unwrap().to_owned();
    let resource_spans = message(&message(&body).one(1));
    let resource = message(&resource_spans.one(1)).attributes(1);
    let spans = message(&resource_spans.one(2)).all(2).iter().map(|span| Span::read(span)).collect();
    Some(Message { path, resource, spans })
}

impl Span {
    fn read(bytes: &[u8]) -> Span {
        let fields = message(bytes);
        let hex = |number| fields.one(number).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Span {
            trace: hex(1),
            id: hex(2),
            parent: hex(4),
            name: String::from_utf8(fields.one(5)).unwrap(),
            kind: fields.number(6),
            start: fields.number(7),
            end: fields.number(8),
            attributes: fields.attributes(9),
            status: message(&fields.one(15)).number(3),
            flags: fields.number(16),
        }
    }
}

/// The fields of a message of protobuf, by number.
struct Fields(Vec<(u64, Value)>);

enum Value {
    Number(u64),
    Bytes(Vec<u8>),
}

/// Takes a message apart: <https://protobuf.dev/programming-guides/encoding/>.
fn message(mut bytes: &[u8]) -> Fields {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut number = 0;
        for shift in (0..).step_by(7) {
            let (byte, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return number;
            }
        }
        unreachable!("a number ends")
    }
    fn fixed<const N: usize>(bytes: &mut &[u8]) -> u64 {
        let (fixed, rest) = bytes.split_at(N);
        *bytes = rest;
        fixed.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Value::Number(varint(&mut bytes)),
            1 => Value::Number(fixed::<8>(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Value::Bytes(value.to_vec())
            }
            5 => Value::Number(fixed::<4>(&mut bytes)),
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, value));
    }
    Fields(fields)
}

impl Fields {
    fn all(&self, number: u64) -> Vec<Vec<u8>> {
        let bytes = |value: &Value| match value {
            Value::Bytes(bytes) => bytes.clone(),
            Value::Number(_) => panic!("field {number} is a number"),
        };
        self.0.iter().filter(|(it, _)| *it == number).map(|(_, value)| bytes(value)).collect()
    }

    /// Empty when it is not there.
    fn one(&self, number: u64) -> Vec<u8> {
        let mut all = self.all(number);
        assert!(all.len() <= 1, "field {number} comes once");
        all.pop().unwrap_or_default()
    }

    /// 0 when it is not there.
    fn number(&self, number: u64) -> u64 {
        let found = self.0.iter().find(|(it, _)| *it == number);
        found.map_or(0, |(_, value)| match value {
            Value::Number(number) => *number,
            Value::Bytes(_) => panic!("field {number} is no number"),
        })
    }

    fn attributes(&self, number: u64) -> BTreeMap<String, String> {
        let attribute = |bytes: Vec<u8>| {
            let fields = message(&bytes);
            let value = match message(&fields.one(2)).0.pop() {
                Some((1, Value::Bytes(text))) => String::from_utf8(text).unwrap(),
                Some((3, Value::Number(number))) => number.to_string(),
                Some((4, Value::Number(bits))) => f64::from_bits(bits).to_string(),
                _ => panic!("a value is a text, a number or a fraction"),
            };
            (String::from_utf8(fields.one(1)).unwrap(), value)
        };
        self.all(number).into_iter().map(attribute).collect()
    }
}
