//! The least of an HTTP client: one GET a connection, and keep-alive connections that then do nothing.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Nothing that is asked here takes long.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Longest head of a reply that is expected.
const HEAD_BYTES_MAX: usize = 4096;

/// Status and body.
pub(crate) fn get(server: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut stream = connect(server)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n")?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    let (head, body) = reply.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok((status(head).ok_or(io::ErrorKind::InvalidData)?, body.to_owned()))
}

/// Opens a connection, makes one request so that it has been of use, and leaves it open.
pub(crate) fn open_idle(server: SocketAddr, path: &str) -> io::Result<TcpStream> {
    let mut stream = connect(server)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {server}\r\n\r\n")?;
    let mut input = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        if let Some(reply) = Reply::find(&input)? {
            return match reply.status {
                200 => Ok(stream),
                status => Err(io::Error::other(format!("{path} was answered with status {status}"))),
            };
        }
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => input.extend_from_slice(&buffer[..read]),
        }
    }
}

/// A connection whose reads and writes end in time.
pub(crate) fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&server, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// A reply that is here as a whole.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    head: &'a str,
    pub(crate) body: &'a str,
}

impl<'a> Reply<'a> {
    /// `None` while something is missing. Fails for what is no reply with a Content-Length, or is more than one.
    pub(crate) fn find(input: &'a [u8]) -> io::Result<Option<Reply<'a>>> {
        let Some(end) = memchr::memmem::find(input, b"\r\n\r\n") else {
            return if input.len() > HEAD_BYTES_MAX { Err(io::ErrorKind::InvalidData.into()) } else { Ok(None) };
        };
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
        let (head, body) = (text(&input[..end])?, &input[end + 4..]);
        let status = status(head).ok_or(io::ErrorKind::InvalidData)?;
        let length = field(head, "content-length").and_then(|value| value.parse::<usize>().ok());
        let length = length.ok_or(io::ErrorKind::InvalidData)?;
        match body.len() {
            here if here < length => Ok(None),
            here if here == length => Ok(Some(Reply { status, head, body: text(body)? })),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// The first field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&'a str> {
        field(self.head, name)
    }
}

fn status(head: &str) -> Option<u16> {
    head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_is_complete_with_its_last_byte() {
        let input = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\ncontent-length: 2\r\n\r\nok";
        let reply = Reply::find(input).unwrap().unwrap();
        assert_eq!((reply.status, reply.field("retry-after"), reply.body), (503, Some("2"), "ok"));
        assert!((0..input.len()).all(|length| Reply::find(&input[..length]).unwrap().is_none()));
    }

    #[test]
    fn what_follows_a_reply_unasked_is_an_error() {
        assert!(Reply::find(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP").is_err());
        assert!(Reply::find(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(Reply::find(&[b'x'; HEAD_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn status_is_read_from_the_first_line() {
        assert_eq!(status("HTTP/1.1 503 Service Unavailable\r\nA: b"), Some(503));
        assert_eq!(status("SSH-2.0"), None);
        assert_eq!(status("HTTP/1.1 "), None);
    }
}
