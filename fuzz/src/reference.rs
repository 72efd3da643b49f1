//! Requests read by the grammar of RFC 9112 and RFC 9110, line by line and with no regard for speed: what the server
//! takes for a request must be one here too, with the same end. Shares no code with the server and knows no bound.

/// How a body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(u64),
    Chunked,
}

/// A request's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: Vec<u8>,
    pub(crate) target: Vec<u8>,
    pub(crate) framing: Framing,
    /// Whether the client wants no reply after this one's.
    pub(crate) is_last: bool,
    /// Bytes of the head, one empty line in front of it included.
    pub(crate) length: usize,
}

/// What bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Read<T> {
    Whole(T),
    Partial,
    Refused,
}

/// The head at the start of `bytes`.
pub(crate) fn head(bytes: &[u8]) -> Read<Request> {
    let skipped = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
    let text = &bytes[skipped..];
    let Some(end) = find(text, b"\r\n\r\n") else { return Read::Partial };
    let lines: Vec<&[u8]> = split(&text[..end], b"\r\n");
    match request(&lines, skipped + end + 4) {
        Some(request) => Read::Whole(request),
        None => Read::Refused,
    }
}

fn request(lines: &[&[u8]], length: usize) -> Option<Request> {
    if lines.iter().any(|line| line.iter().any(|byte| b"\r\n\0".contains(byte))) {
        return None;
    }
    let (line, fields) = lines.split_first()?;
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let &[method, target, version] = words.as_slice() else { return None };
    let is_1_0 = match version {
        b"HTTP/1.0" => true,
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor] if minor.is_ascii_digit() => false,
        _ => return None,
    };
    let fields: Option<Vec<(Vec<u8>, &[u8])>> = fields.iter().map(|line| field(line)).collect();
    let fields = fields?;
    let values = |name: &[u8]| fields.iter().filter(|field| field.0 == name).map(|field| field.1).collect::<Vec<_>>();
    let elements = |name: &[u8]| values(name).iter().flat_map(|value| split(value, b",")).map(trim).collect::<Vec<_>>();
    let host = match values(b"host").as_slice() {
        [host] if is_host(host) => Some(host.to_ascii_lowercase()),
        [] if is_1_0 => None,
        _ => return None,
    };
    let authority = is_token(method).then(|| target_authority(method, target))??;
    if authority.zip(host).is_some_and(|(authority, host)| authority.to_ascii_lowercase() != host) {
        return None;
    }
    if !elements(b"expect").iter().all(|expected| expected.eq_ignore_ascii_case(b"100-continue")) {
        return None;
    }
    let codings = elements(b"transfer-encoding");
    let framing = match (values(b"content-length").as_slice(), codings.as_slice()) {
        ([], []) => Framing::None,
        ([length], []) if length.iter().all(u8::is_ascii_digit) => {
            Framing::Length(std::str::from_utf8(length).ok()?.parse().ok()?)
        }
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") && !is_1_0 => Framing::Chunked,
        _ => return None,
    };
    let options = elements(b"connection");
    let asks = |option: &[u8]| options.iter().any(|other| other.eq_ignore_ascii_case(option));
    let is_last = asks(b"close") || (is_1_0 && !asks(b"keep-alive"));
    Some(Request { method: method.to_vec(), target: target.to_vec(), framing, is_last, length })
}

/// The authority of a target, if its form has one; `None` if it has no form.
fn target_authority<'t>(method: &[u8], target: &'t [u8]) -> Option<Option<&'t [u8]>> {
    if method == b"CONNECT" {
        let colon = target.iter().rposition(|&byte| byte == b':')?;
        let has_port = colon + 1 < target.len() && target[colon + 1..].iter().all(u8::is_ascii_digit);
        return (has_port && is_host(target)).then_some(Some(target));
    }
    if target.starts_with(b"/") {
        return is_path_and_query(target).then_some(None);
    }
    if target == b"*" {
        return (method == b"OPTIONS").then_some(None);
    }
    let colon = find(target, b"://")?;
    let scheme = target[..colon].to_ascii_lowercase();
    let rest = &target[colon + 3..];
    let end = rest.iter().position(|byte| b"/?".contains(byte)).unwrap_or(rest.len());
    let good = (scheme == b"http" || scheme == b"https") && is_host(&rest[..end]) && is_path_and_query(&rest[end..]);
    good.then_some(Some(&rest[..end]))
}

fn is_path_and_query(text: &[u8]) -> bool {
    is_made_of(text, b"-._~!$&'()*+,;=:@/?")
}

/// Letters, digits, escapes and these.
fn is_made_of(text: &[u8], others: &[u8]) -> bool {
    let escaped = |at: usize| text.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let allowed = |(at, byte): (usize, &u8)| {
        byte.is_ascii_alphanumeric() || others.contains(byte) || (*byte == b'%' && escaped(at))
    };
    text.iter().enumerate().all(allowed)
}

/// `uri-host [ ":" port ]`, without an empty host.
fn is_host(text: &[u8]) -> bool {
    let (host, port) = match text.iter().rposition(|&byte| byte == b':') {
        Some(at) if !text[at..].contains(&b']') => (&text[..at], &text[at + 1..]),
        _ => (text, &b""[..]),
    };
    let is_literal = matches!(host, [b'[', address @ .., b']']
        if address.contains(&b':') && address.iter().all(|&byte| byte.is_ascii_hexdigit() || b":.".contains(&byte)));
    let is_name = !host.is_empty() && is_made_of(host, b"-._~!$&'()*+;=");
    (is_literal || is_name) && port.iter().all(u8::is_ascii_digit)
}

/// A name in small letters, and a value without the white space around it.
fn field(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
    let is_text = value.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f));
    (is_token(name) && is_text).then(|| (name.to_ascii_lowercase(), value))
}

/// The content of a body at the start of `bytes`, and the bytes that it takes.
pub(crate) fn body(framing: Framing, bytes: &[u8]) -> Read<(Vec<u8>, usize)> {
    let length = match framing {
        Framing::None => 0,
        Framing::Length(length) => usize::try_from(length).unwrap_or(usize::MAX),
        Framing::Chunked => return chunks(bytes),
    };
    bytes.get(..length).map_or(Read::Partial, |content| Read::Whole((content.to_vec(), length)))
}

fn chunks(bytes: &[u8]) -> Read<(Vec<u8>, usize)> {
    let mut content = Vec::new();
    let mut at = 0;
    loop {
        let Some(length) = find(&bytes[at..], b"\r\n") else { return Read::Partial };
        let Some(size) = chunk_size(&bytes[at..at + length]) else { return Read::Refused };
        at += length + 2;
        if size == 0 {
            break;
        }
        let Some(chunk) = bytes.get(at..at.saturating_add(size)) else { return Read::Partial };
        content.extend_from_slice(chunk);
        at += size;
        match bytes.get(at..at + 2) {
            Some(b"\r\n") => at += 2,
            Some(_) => return Read::Refused,
            None => return Read::Partial,
        }
    }
    loop {
        let Some(length) = find(&bytes[at..], b"\r\n") else { return Read::Partial };
        let line = &bytes[at..at + length];
        at += length + 2;
        if line.is_empty() {
            return Read::Whole((content, at));
        }
        match field(line) {
            Some((name, _)) if !MEANINGFUL.contains(&name.as_slice()) => {}
            _ => return Read::Refused,
        }
    }
}

/// Some of those that no trailer may be (RFC 9110 section 6.5.1).
const MEANINGFUL: [&[u8]; 6] =
    [b"content-length", b"transfer-encoding", b"host", b"authorization", b"connection", b"content-type"];

/// `chunk-size [ chunk-ext ]`, white space around semicolons and equals signs borne with.
fn chunk_size(line: &[u8]) -> Option<usize> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let size = usize::from_str_radix(std::str::from_utf8(&line[..digits]).ok()?, 16).ok()?;
    let mut rest = &line[digits..];
    while !rest.is_empty() {
        rest = trim_start(trim_start(rest).strip_prefix(b";")?);
        rest = token(rest)?;
        if let Some(value) = trim_start(rest).strip_prefix(b"=") {
            let value = trim_start(value);
            rest = if value.starts_with(b"\"") { quoted(value)? } else { token(value)? };
        }
    }
    Some(size)
}

/// What follows a token.
fn token(text: &[u8]) -> Option<&[u8]> {
    let length = text.iter().take_while(|&&byte| is_token(&[byte])).count();
    (length > 0).then(|| &text[length..])
}

/// What follows a quoted string.
fn quoted(text: &[u8]) -> Option<&[u8]> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(&text[at + 1..]),
            b'\\' if text.get(at + 1).is_some_and(|&byte| is_text_byte(byte)) => at += 2,
            &byte if byte != b'\\' && is_text_byte(byte) => at += 1,
            _ => return None,
        }
    }
}

fn is_text_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn trim_start(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|byte| b" \t".contains(byte)).count();
    &text[spaces..]
}

fn trim(text: &[u8]) -> &[u8] {
    let text = trim_start(text);
    let spaces = text.iter().rev().take_while(|byte| b" \t".contains(byte)).count();
    &text[..text.len() - spaces]
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|bytes| bytes == wanted)
}

fn split<'t>(mut text: &'t [u8], by: &[u8]) -> Vec<&'t [u8]> {
    let mut parts = Vec::new();
    while let Some(at) = find(text, by) {
        parts.push(&text[..at]);
        text = &text[at + by.len()..];
    }
    parts.push(text);
    parts
}
