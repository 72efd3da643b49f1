//! The JSON of a body, held to another reading of the same text.

use jeday::{
    handlers::{Reply, Request, json},
    http::{head, status::Status},
    limits::HEAD,
    telemetry::Tracer,
};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr};

const POST: &[u8] = b"POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\r\n";

const NAMES: [&str; 3] = ["email", "username", "password"];

/// A refusal's whole body, in bytes: it has a place in it, and nothing of what was sent.
const REFUSAL_BYTES_MAX: usize = 256;

/// An object is taken when it is JSON, has each name once on every level, and strings or null where strings are wanted;
/// what is taken from it is what it says, and can be written and read again. Whatever else is refused in few words.
pub fn json(bytes: &[u8]) {
    let shown = bytes.escape_ascii();
    let value = serde_json::from_slice::<Value>(bytes).ok();
    let wanted = value.as_ref().filter(|value| names_come_once(bytes, value)).and_then(strings);
    let read = read(bytes);
    assert_eq!(read, wanted, "{shown}");
    let (Some(strings), Some(value)) = (&read, &value) else { return };
    // A front that reads the same and writes it in its own way gets the same through.
    let rewritten = serde_json::to_vec(value).expect("a value can be written");
    assert_eq!(self::read(&rewritten).as_ref(), Some(strings), "{shown}");
}

/// The members as the server reads them.
fn read(bytes: &[u8]) -> Option<[Option<String>; 3]> {
    let (head, _) = head::parse(POST, &HEAD).ok().flatten().expect("is a head");
    let trace = Tracer::new(None, [0; 16]).begin(head.traceparent, || false);
    let request = Request { head: &head, body: bytes, client: IpAddr::V4(Ipv4Addr::LOCALHOST), trace: &trace };
    match json::read(request, NAMES) {
        Ok(members) => Some(members.map(|member| member.map(std::borrow::Cow::into_owned))),
        Err(rejection) => {
            let reply = Reply::from(rejection);
            assert!(reply.status == Status::BadRequest && reply.body.len() <= REFUSAL_BYTES_MAX);
            None
        }
    }
}

/// The same of what another has read.
fn strings(value: &Value) -> Option<[Option<String>; 3]> {
    let object = value.as_object()?;
    let mut members = [const { None }; 3];
    for (member, name) in members.iter_mut().zip(NAMES) {
        *member = match object.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => return None,
        };
    }
    Some(members)
}

/// Whether as many members are written as are there: of equal names only the last is kept.
fn names_come_once(text: &[u8], value: &Value) -> bool {
    let (mut colons, mut in_string, mut escaped) = (0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b':' if !in_string => colons += 1,
            _ => {}
        }
    }
    colons == members(value)
}

fn members(value: &Value) -> usize {
    match value {
        Value::Array(values) => values.iter().map(members).sum(),
        Value::Object(object) => object.len() + object.values().map(members).sum::<usize>(),
        _ => 0,
    }
}
