//! Replies as they come out of a proxy: those of the server that it passes on, and its own.

/// One reply.
#[derive(Debug)]
pub(super) struct Reply {
    /// 0 when there was no status line: HTTP/0.9 has none.
    pub(super) status: u16,
    /// Whether the server has made it; the proxy has, otherwise.
    pub(super) is_servers: bool,
    /// Whether it has what the proxy lets nobody ask for.
    pub(super) is_forbidden_content: bool,
    pub(super) body: String,
}

impl Reply {
    fn new(status: u16, is_servers: bool, body: &str) -> Reply {
        let is_forbidden_content = body.contains("\"openapi\"");
        Reply { status, is_servers, is_forbidden_content, body: body.to_owned() }
    }

    /// The status, and in brackets that of a proxy's own reply.
    pub(super) fn show(&self) -> String {
        if self.is_servers { self.status.to_string() } else { format!("({})", self.status) }
    }
}

/// Takes everything apart that has come over a connection, interim replies aside. None is to a HEAD.
pub(super) fn parse(received: &[u8]) -> Vec<Reply> {
    let mut rest = std::str::from_utf8(received).unwrap();
    let mut replies = Vec::new();
    while !rest.is_empty() {
        let Some((head, after)) = rest.split_once("\r\n\r\n").filter(|_| rest.starts_with("HTTP/1.")) else {
            // The server's own are all JSON.
            replies.push(Reply::new(0, rest.starts_with('{'), rest));
            break;
        };
        let status: u16 = head[9..12].parse().unwrap();
        let field = |name: &str| {
            let mut fields = head.lines().filter_map(|line| line.split_once(": "));
            fields.find_map(|(other, value)| other.eq_ignore_ascii_case(name).then_some(value))
        };
        if status < 200 {
            rest = after;
            continue;
        }
        // Without a length the body goes on to the end (RFC 9112 section 6.3).
        let length = field("Content-Length").map_or(after.len(), |length| length.parse().unwrap());
        assert!(length <= after.len() && field("Transfer-Encoding").is_none(), "{rest}");
        let (body, next) = after.split_at(length);
        // nginx takes `Date` for its own; this field is passed on, and no proxy adds it.
        replies.push(Reply::new(status, field("X-Content-Type-Options").is_some(), body));
        rest = next;
    }
    replies
}
