//! Spans in the messages of OTLP (`opentelemetry.proto.collector.trace.v1` of opentelemetry-proto 1.x), named by its
//! semantic conventions for HTTP servers and databases. Only the fields that are filled stand here, under their numbers
//! there.

use prost::{Message, Oneof};
use std::time::{Duration, Instant};

use super::request::{Part, Span as Recorded, TimedPart};
use crate::http::trace_context::SpanId;

/// `SPAN_KIND_INTERNAL`, `SPAN_KIND_SERVER`, `SPAN_KIND_CLIENT`.
const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// `STATUS_CODE_ERROR`.
const ERROR: i32 = 2;

/// Flags of a span: that it is sampled, that it is known whether its parent is another process's, and that it is.
const SAMPLED: u32 = 0x001;
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

#[derive(Clone, PartialEq, Message)]
struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<Attribute>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    flags: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 3, 4")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(int64, tag = "3")]
    Number(i64),
    #[prost(double, tag = "4")]
    Seconds(f64),
}

#[derive(Clone, PartialEq, Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

/// What a collector did not take of a message that it took.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(super) rejected_spans: i64,
    #[prost(string, tag = "2")]
    pub(super) error_message: String,
}

/// The message with these requests.
pub(super) fn encode(service_name: &str, recorded: &[Box<Recorded>]) -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION");
    let resource = Resource { attributes: vec![text("service.name", service_name), text("service.version", version)] };
    let scope = Scope { name: env!("CARGO_PKG_NAME").to_owned(), version: version.to_owned() };
    let spans = recorded.iter().flat_map(|recorded| spans(recorded)).collect();
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans }];
    ExportRequest { resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans }] }.encode_to_vec()
}

/// What the collector's answer says that it did not take; none when it took all, or says nothing that can be read.
pub(super) fn partial_success(answer: &[u8]) -> Option<PartialSuccess> {
    let partial = ExportResponse::decode(answer).ok()?.partial_success?;
    (partial.rejected_spans > 0).then_some(partial)
}

/// The request's own span, then those of its parts.
fn spans(recorded: &Recorded) -> impl Iterator<Item = Span> {
    let parts = recorded.parts.iter().zip(1_u64..).map(|(part, number)| part_span(recorded, part, number));
    std::iter::once(request_span(recorded)).chain(parts)
}

fn request_span(recorded: &Recorded) -> Span {
    let served = &recorded.served;
    // The names of methods that nobody knows are not passed on (semantic conventions for HTTP spans).
    let method = served.method.unwrap_or("HTTP");
    let name = served.route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
    let is_error = served.status >= 500;
    let mut attributes = vec![
        text("http.request.method", served.method.unwrap_or("_OTHER")),
        text("url.scheme", served.scheme),
        attribute("http.response.status_code", Value::Number(served.status.into())),
    ];
    attributes.extend(served.route.map(|route| text("http.route", route)));
    attributes.extend(recorded.path.as_deref().map(|path| text("url.path", path)));
    let problem = served.problem.filter(|_| is_error);
    attributes.extend(problem.map(|problem| text("error.type", problem)));
    let remote = if recorded.caller.is_some() { IS_REMOTE } else { 0 };
    Span {
        trace_id: recorded.ids.trace.bytes().to_vec(),
        span_id: recorded.ids.span.bytes().to_vec(),
        parent_span_id: recorded.caller.map(|caller| caller.bytes().to_vec()).unwrap_or_default(),
        name,
        kind: SERVER,
        start_time_unix_nano: unix_ns(recorded, recorded.started),
        end_time_unix_nano: recorded.ended_unix_ns,
        attributes,
        // Anything below is the client's affair, and no error of a server's span.
        status: is_error.then_some(Status { code: ERROR }),
        flags: SAMPLED | HAS_IS_REMOTE | remote,
    }
}

fn part_span(recorded: &Recorded, timed: &TimedPart, number: u64) -> Span {
    let (name, kind, mut attributes) = match timed.part {
        Part::Statement(name) => {
            (name, CLIENT, vec![text("db.system.name", "postgresql"), text("db.query.summary", name)])
        }
        Part::Password => ("check_password", INTERNAL, Vec::new()),
    };
    let waited = timed.waited.map(|waited| attribute("jeday.queue.duration", Value::Seconds(waited.as_secs_f64())));
    attributes.extend(waited);
    Span {
        trace_id: recorded.ids.trace.bytes().to_vec(),
        span_id: part_id(recorded.ids.span, number).to_vec(),
        parent_span_id: recorded.ids.span.bytes().to_vec(),
        name: name.to_owned(),
        kind,
        start_time_unix_nano: unix_ns(recorded, timed.begun),
        end_time_unix_nano: unix_ns(recorded, timed.ended),
        attributes,
        status: None,
        flags: SAMPLED | HAS_IS_REMOTE,
    }
}

/// The name of a part: as random as that of its request, so it takes no number of its own.
fn part_id(request: SpanId, number: u64) -> [u8; 8] {
    let (id, passed_zero) = u64::from_be_bytes(*request.bytes()).overflowing_add(number);
    // Which is no name.
    (id + u64::from(passed_zero)).to_be_bytes()
}

/// The time of day at `instant`, by the clock as it was when the request ended: so a span is as long as it really was.
fn unix_ns(recorded: &Recorded, instant: Instant) -> u64 {
    let before: Duration = recorded.ended.saturating_duration_since(instant);
    recorded.ended_unix_ns.saturating_sub(u64::try_from(before.as_nanos()).unwrap_or(u64::MAX))
}

fn text(key: &str, value: &str) -> Attribute {
    attribute(key, Value::Text(value.to_owned()))
}

fn attribute(key: &str, value: Value) -> Attribute {
    Attribute { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::trace_context::TraceId;
    use crate::telemetry::traces::{Served, TraceIds};

    fn recorded(served: Served, path: Option<&str>) -> Recorded {
        let ids = TraceIds { trace: TraceId::new([1; 16]).unwrap(), span: SpanId::new([2; 8]).unwrap() };
        let started = Instant::now();
        let (ended, begun) = (started + Duration::from_millis(5), started + Duration::from_millis(2));
        let timed = |part, waited| TimedPart { part, begun, ended, waited };
        let parts =
            vec![timed(Part::Statement("register"), None), timed(Part::Password, Some(Duration::from_millis(250)))];
        let ended_unix_ns = 1_700_000_000_000_000_000;
        Recorded { ids, caller: None, served, path: path.map(Box::from), parts, started, ended, ended_unix_ns }
    }

    fn shown(span: &Span) -> Vec<String> {
        let value = |attribute: &Attribute| match attribute.value.clone().and_then(|value| value.value) {
            Some(Value::Text(text)) => text,
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Seconds(seconds)) => format!("{seconds} s"),
            None => String::new(),
        };
        span.attributes.iter().map(|attribute| format!("{}={}", attribute.key, value(attribute))).collect()
    }

    #[test]
    fn a_request_is_named_by_the_conventions_for_http() {
        let served = Served {
            method: Some("DELETE"),
            route: Some("/auth/sessions/{id}"),
            scheme: "http",
            status: 503,
            problem: Some("overloaded"),
        };
        let span = request_span(&recorded(served, Some("/auth/sessions/0198")));
        assert_eq!((span.name.as_str(), span.kind), ("DELETE /auth/sessions/{id}", SERVER));
        assert_eq!(span.status, Some(Status { code: ERROR }));
        assert_eq!(
            shown(&span),
            [
                "http.request.method=DELETE",
                "url.scheme=http",
                "http.response.status_code=503",
                "http.route=/auth/sessions/{id}",
                "url.path=/auth/sessions/0198",
                "error.type=overloaded"
            ]
        );
    }

    #[test]
    fn a_request_that_is_the_clients_mistake_is_no_error() {
        let served = Served { method: None, route: None, scheme: "https", status: 404, problem: Some("not_found") };
        let span = request_span(&recorded(served, None));
        assert_eq!((span.name.as_str(), &span.status), ("HTTP", &None));
        assert_eq!(shown(&span), ["http.request.method=_OTHER", "url.scheme=https", "http.response.status_code=404"]);
    }

    #[test]
    fn parts_lie_within_their_request_and_say_how_long_they_waited() {
        let served = Served { method: Some("POST"), route: None, scheme: "http", status: 201, problem: None };
        let spans: Vec<_> = spans(&recorded(served, None)).collect();
        let times: Vec<_> = spans.iter().map(|span| 1_700_000_000_000_000_000 - span.start_time_unix_nano).collect();
        assert_eq!(times, [5_000_000, 3_000_000, 3_000_000]);
        assert!(spans[1..].iter().all(|part| part.parent_span_id == spans[0].span_id));
        assert_eq!(shown(&spans[1]), ["db.system.name=postgresql", "db.query.summary=register"]);
        assert_eq!(shown(&spans[2]), ["jeday.queue.duration=0.25 s"]);
    }

    #[test]
    fn names_of_parts_are_never_zero_and_differ() {
        for request in [SpanId::new([0xff; 8]).unwrap(), SpanId::new([1; 8]).unwrap()] {
            let mut names: Vec<_> = (1..4).map(|number| part_id(request, number)).collect();
            names.extend([[0; 8], *request.bytes()]);
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), 5);
        }
    }

    #[test]
    fn an_answer_tells_what_was_not_taken() {
        let answer = |rejected_spans| {
            let partial_success = Some(PartialSuccess { rejected_spans, error_message: "no room".to_owned() });
            ExportResponse { partial_success }.encode_to_vec()
        };
        assert_eq!(partial_success(&answer(3)).map(|partial| partial.rejected_spans), Some(3));
        assert_eq!(partial_success(&answer(0)), None);
        assert_eq!(partial_success(b""), None);
        assert_eq!(partial_success(b"<html>"), None);
    }
}
