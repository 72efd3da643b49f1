//! Replies are read back by another parser.

use proptest::prelude::*;

use super::super::date::DateCache;
use super::super::field::FieldName;
use super::*;

const JSON: FieldValue<'static> = FieldValue::from_static("application/json");

fn date() -> [u8; DATE_BYTES] {
    *DateCache::new(784_111_777).get(784_111_777)
}

fn context(date: &[u8; DATE_BYTES]) -> ReplyContext<'_> {
    ReplyContext { version: Version::Http11, keep_alive: true, head_only: false, date, fields: &[] }
}

fn text(response: &Response<'_>, context: &ReplyContext<'_>) -> String {
    let mut out = b"earlier".to_vec();
    response.write(context, &mut out);
    let mut from_template = b"earlier".to_vec();
    Template::new(response).write(context, response.body, &mut from_template);
    assert_eq!(from_template, out, "a template writes what the reply itself writes");
    String::from_utf8(out).unwrap().split_off("earlier".len())
}

#[test]
fn a_reply_has_all_that_belongs_to_it() {
    let fields = [Field::new(FieldName::ALLOW, FieldValue::from_static("GET, HEAD")), Field::retry_after(2)];
    let response = Response::new(Status::MethodNotAllowed).with_body(JSON, b"{}").with_fields(&fields);
    let wanted = "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n\
        X-Content-Type-Options: nosniff\r\nAllow: GET, HEAD\r\nRetry-After: 2\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
        Content-Length: 2\r\n\r\n{}";
    assert_eq!(text(&response, &context(&date())), wanted);
}

#[test]
fn the_fate_of_the_connection_is_said_in_the_words_of_its_version() {
    let date = date();
    for (version, keep_alive, line) in [
        (Version::Http11, true, None),
        (Version::Http11, false, Some("Connection: close")),
        (Version::Http10, true, Some("Connection: keep-alive")),
        (Version::Http10, false, Some("Connection: close")),
    ] {
        let context = ReplyContext { version, keep_alive, ..context(&date) };
        let text = text(&Response::new(Status::Ok), &context);
        let said = text.lines().find(|line| line.starts_with("Connection"));
        assert_eq!(said, line);
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    assert!(!ReplyContext::closing(&date).keep_alive);
}

#[test]
fn a_reply_to_head_declares_the_length_and_sends_nothing() {
    let date = date();
    let bytes = b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let limits = super::super::head::HeadLimits {
        head_bytes_max: 100,
        method_bytes_max: 10,
        target_bytes_max: 10,
        fields_max: 10,
    };
    let (head, _) = super::super::head::parse(bytes, &limits).unwrap().unwrap();
    let response = Response::new(Status::Ok).with_body(JSON, b"{}");
    let text = text(&response, &ReplyContext::of(&head, &date));
    assert!(text.contains("\r\nContent-Length: 2\r\nConnection: close\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n"));
}

#[test]
fn a_status_without_body_has_none_and_declares_none() {
    for status in [Status::NoContent, Status::NotModified] {
        let response = Response::new(status).with_body(JSON, b"{}");
        let text = text(&response, &context(&date()));
        assert!(text.ends_with("\r\n\r\n"), "{text}");
        assert!(!text.contains("\r\nContent-"), "{text}");
    }
}

#[test]
fn a_hot_reply_allocates_nothing_in_a_buffer_with_room() {
    let date = date();
    let template = Template::new(&Response::new(Status::Created).with_body(JSON, b""));
    let mut out = Vec::with_capacity(1_024);
    let before = out.as_ptr();
    template.write(&context(&date), &[b'a'; 300], &mut out);
    assert_eq!((out.as_ptr(), out.capacity()), (before, 1_024));
    assert_eq!(template.status(), Status::Created);
}

#[test]
fn every_status_line_is_well_formed_and_in_order() {
    assert!(Status::ALL.windows(2).all(|pair| pair[0].code() < pair[1].code()));
    for status in Status::ALL {
        let wanted = format!("HTTP/1.1 {} {}\r\n", status.code(), status.reason());
        assert_eq!(status.line(), wanted);
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        status in prop::sample::select(Status::ALL),
        body in prop::collection::vec(any::<u8>(), 0..300),
        location in "([!-~]([ -~]{0,40}[!-~])?)?",
        seconds: u64,
        keep_alive: bool,
        head_only: bool,
    ) {
        let date = date();
        let context = ReplyContext { version: Version::Http10, keep_alive, head_only, date: &date, fields: &[] };
        let fields = [
            Field::new(FieldName::LOCATION, FieldValue::parse(&location).unwrap()),
            Field::retry_after(seconds),
        ];
        let mut out = Vec::new();
        let response = Response::new(status).with_body(JSON, &body).with_fields(&fields);
        response.write(&context, &mut out);

        let mut slots = [httparse::EMPTY_HEADER; 16];
        let mut read = httparse::Response::new(&mut slots);
        let len = read.parse(&out).unwrap().unwrap();
        let field = |name: &str| {
            let mut found = read.headers.iter().filter(|field| field.name == name);
            let value = found.next().map(|field| str::from_utf8(field.value).unwrap().to_owned());
            assert!(found.next().is_none());
            value
        };
        prop_assert_eq!((read.code, read.reason), (Some(status.code()), Some(status.reason())));
        prop_assert_eq!(field("Location"), Some(location.clone()));
        prop_assert_eq!(field("Retry-After"), Some(seconds.to_string()));
        prop_assert_eq!(field("Cache-Control"), Some("no-store".to_owned()));
        prop_assert_eq!(field("X-Content-Type-Options"), Some("nosniff".to_owned()));
        prop_assert_eq!(field("Date").map(String::into_bytes), Some(date.to_vec()));
        prop_assert_eq!(field("Content-Length"), status.has_body().then(|| body.len().to_string()));
        let sent: &[u8] = if status.has_body() && !head_only { &body } else { b"" };
        prop_assert_eq!(&out[len..], sent);
    }
}
