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
    let mut reply = Vec::new();
    let mut buffer = [0; 1024];
    while !complete(&reply) {
        if reply.len() > HEAD_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => reply.extend_from_slice(&buffer[..read]),
        }
    }
    match std::str::from_utf8(&reply).ok().and_then(status) {
        Some(200) => Ok(stream),
        status => Err(io::Error::other(format!("{path} was answered with status {status:?}"))),
    }
}

fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&server, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

fn status(head: &str) -> Option<u16> {
    head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

/// Whether a reply with a Content-Length is here as a whole.
fn complete(reply: &[u8]) -> bool {
    let Some((head, body)) = std::str::from_utf8(reply).ok().and_then(|text| text.split_once("\r\n\r\n")) else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    length.is_some_and(|length| body.len() >= length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_is_complete_with_its_last_byte() {
        let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        assert!(complete(reply));
        assert!((0..reply.len()).all(|length| !complete(&reply[..length])));
    }

    #[test]
    fn status_is_read_from_the_first_line() {
        assert_eq!(status("HTTP/1.1 503 Service Unavailable\r\nA: b"), Some(503));
        assert_eq!(status("SSH-2.0"), None);
        assert_eq!(status("HTTP/1.1 "), None);
    }
}
