//! The corpus: bytes in, replies and the connection's fate out. A file a group of rules; each case names the section
//! of its rule. Sends nothing by itself.

mod bodies;
mod bounds;
mod chunks;
mod connections;
mod fields;
mod framing;
mod hosts;
mod json;
mod methods;
mod request_lines;
mod slow;
mod targets;

/// One rule, broken or kept: the section it stands in, what is done, the bytes as the group's frame takes them, and
/// what must come of it.
pub(crate) type Line = (&'static str, &'static str, &'static [u8], Outcome);

/// The same for bytes that are too many to be written down, or that change.
pub(crate) type Made = (&'static str, &'static str, fn() -> Vec<u8>, Outcome);

/// The rules of one subject.
struct Group {
    name: &'static str,
    /// What stands around the bytes of a line.
    frame: fn(&[u8]) -> Vec<u8>,
    lines: &'static [Line],
}

/// Each subject, but for what is too long to be written down.
const GROUPS: &[Group] = &[
    Group { name: "request lines", frame: request_lines::frame, lines: request_lines::LINES },
    Group { name: "methods", frame: methods::frame, lines: methods::LINES },
    Group { name: "targets", frame: targets::frame, lines: targets::LINES },
    Group { name: "hosts", frame: hosts::frame, lines: hosts::LINES },
    Group { name: "fields", frame: fields::frame, lines: fields::LINES },
    Group { name: "framing", frame: framing::frame, lines: framing::LINES },
    Group { name: "chunks", frame: chunks::frame, lines: chunks::LINES },
    Group { name: "bodies", frame: bodies::frame, lines: bodies::LINES },
    Group { name: "JSON", frame: json::frame, lines: json::LINES },
    Group { name: "connections", frame: connections::frame, lines: connections::LINES },
];

/// What must come of a case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// The replies, in order.
    pub(crate) answers: &'static [Answer],
    pub(crate) fate: Fate,
}

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It serves another request.
    Kept,
    /// The same when the request has come in one piece. One that is refused by its head need not be read to its end.
    KeptIfWhole,
    /// The server closes it behind the last reply.
    Closed,
    /// The server gives it up behind the last reply, without a word.
    GivenUp,
    /// The server waits for more, and closes without a word when no more comes.
    Waiting,
}

/// What a reply must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The code of a problem; empty for any other reply, and where there is no body to read it from.
    pub(crate) code: &'static str,
    /// The request was HEAD: no body follows, whatever the fields say.
    pub(crate) to_head: bool,
    /// A field that must be there, and its value.
    pub(crate) field: Option<(&'static str, &'static str)>,
}

const fn plain(status: u16) -> Answer {
    Answer { status, code: "", to_head: false, field: None }
}

const fn problem(status: u16, code: &'static str) -> Answer {
    Answer { status, code, to_head: false, field: None }
}

const fn to_head(status: u16) -> Answer {
    Answer { status, code: "", to_head: true, field: None }
}

const fn with_field(answer: Answer, name: &'static str, value: &'static str) -> Answer {
    Answer { field: Some((name, value)), ..answer }
}

const fn kept(answers: &'static [Answer]) -> Outcome {
    Outcome { answers, fate: Fate::Kept }
}

const fn closed(answers: &'static [Answer]) -> Outcome {
    Outcome { answers, fate: Fate::Closed }
}

const WAITS: Outcome = Outcome { answers: &[], fate: Fate::Waiting };

/// Served.
const OK: Outcome = kept(&[plain(200)]);
/// The head is not what RFC 9112 has.
const MALFORMED: Outcome = closed(&[problem(400, "request_malformed")]);
/// The body is not framed as RFC 9112 has it.
const BODY_MALFORMED: Outcome = closed(&[problem(400, "body_malformed")]);
/// The body was read to its end and understood: `{"refresh_token":"x"}` is the right JSON and a wrong token.
const UNDERSTOOD: Outcome = kept(&[problem(401, "refresh_token_invalid")]);
const NOT_FOUND: Outcome = kept(&[problem(404, "not_found")]);
const TOO_LARGE: Outcome = closed(&[problem(413, "body_too_large")]);

/// A case as it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) group: &'static str,
    pub(crate) section: &'static str,
    pub(crate) what: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) outcome: Outcome,
}

impl Case {
    /// Whether the server may invite the body (RFC 9110 section 10.1.1).
    pub(crate) fn expects_continue(&self) -> bool {
        let name = b"Expect: 100-";
        self.bytes.windows(name.len()).any(|bytes| bytes == name)
    }
}

/// All cases that an ordinary server answers at once.
pub(crate) fn cases() -> Vec<Case> {
    let written = GROUPS.iter().flat_map(|group| {
        group.lines.iter().map(|&(section, what, bytes, outcome)| {
            let bytes = (group.frame)(bytes);
            Case { group: group.name, section, what, bytes, outcome }
        })
    });
    written.chain(made("bounds", bounds::CASES)).collect()
}

/// Cases that come to their end by a time-out.
pub(crate) fn slow_cases() -> Vec<Case> {
    made("slow", slow::CASES).collect()
}

fn made(group: &'static str, cases: &'static [Made]) -> impl Iterator<Item = Case> {
    cases.iter().map(move |&(section, what, make, outcome)| Case { group, section, what, bytes: make(), outcome })
}

/// Head of a request for JSON whose framing fields are still to come.
const POST: &[u8] = b"POST /auth/refresh HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n";

/// A body that [`UNDERSTOOD`] answers, in 21 bytes.
const BODY: &[u8] = br#"{"refresh_token":"x"}"#;
