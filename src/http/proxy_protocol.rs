//! The header that a proxy puts in front of a connection that it relays, to say whose it is: versions 1 and 2 of
//! HAProxy's "The PROXY protocol" (doc/proxy-protocol.txt in its sources; sections are those of it). Bytes in, an
//! address out. Never guesses whether there is a header, and never looks past its end; whom to believe is the caller's
//! business.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use thiserror::Error;

/// What a header of version 1 begins with (section 2.1).
const V1_SIGNATURE: &[u8] = b"PROXY ";

/// The longest line of version 1, CRLF included.
const V1_LINE_BYTES_MAX: usize = 107;

/// What a header of version 2 begins with (section 2.2).
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family and protocol, length of the rest.
const V2_FIXED_BYTES: usize = 16;

/// Type and length of a vector (TLV).
const TLV_FIXED_BYTES: usize = 3;

/// The vector with a checksum of the header (section 2.2.3).
const TLV_CRC32C: u8 = 0x03;

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// The proxy's own, as for a health check, or that of a client without an IP address or over another protocol: the
    /// peer's address holds.
    Peer,
    /// A client's of this address. An IPv4 address that is written as IPv6 is the IPv4 address.
    Client(IpAddr),
}

/// Why a connection has no valid header. It has to be aborted (section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProxyHeaderError {
    /// The connection begins with something else.
    #[error("there is no PROXY header")]
    Missing,
    /// A line that is not ended by CRLF within 107 bytes, or by one of both alone.
    #[error("the PROXY line is not ended by CRLF within 107 bytes")]
    LineEnding,
    /// Neither TCP4, TCP6 nor UNKNOWN, with the right number of parts.
    #[error("the PROXY line is none of version 1")]
    Line,
    /// An address that is none of the announced family.
    #[error("an address in the PROXY line is not of its family")]
    Address,
    /// A port that is no number up to 65535, or has zeros in front.
    #[error("a port in the PROXY line is invalid")]
    Port,
    /// A version other than 2, or a command other than LOCAL and PROXY.
    #[error("unknown version or command in the PROXY header")]
    Command,
    /// A family or protocol that is not defined, or a pair that makes no sense.
    #[error("unknown address family or protocol in the PROXY header")]
    Family,
    /// Longer than the caller allows.
    #[error("the PROXY header is too long")]
    TooLong,
    /// Shorter than the addresses of its family.
    #[error("the PROXY header is shorter than its addresses")]
    TooShort,
    /// Vectors that do not end where the header ends.
    #[error("the PROXY header has a malformed vector")]
    Vector,
    /// A checksum that is not the header's, is not 4 bytes long or comes twice.
    #[error("the PROXY header has a wrong checksum")]
    Checksum,
}

/// Parses the header at the start of `buf` and says how many bytes it took. `None`: more bytes are needed, and what is
/// there breaks no rule. `bytes_max` bounds a header of version 2, whose own length field goes up to 64 KiB.
///
/// # Errors
/// [`ProxyHeaderError`], as soon as no bytes to come could make it right.
pub fn parse(buf: &[u8], bytes_max: usize) -> Result<Option<(Announced, usize)>, ProxyHeaderError> {
    // Both begin with another byte, so there is never a doubt which one it is.
    if begins(buf, V1_SIGNATURE) {
        parse_line(buf)
    } else if begins(buf, V2_SIGNATURE) {
        parse_binary(buf, bytes_max)
    } else {
        Err(ProxyHeaderError::Missing)
    }
}

/// Whether `buf` begins with the signature, or may still do so.
fn begins(buf: &[u8], signature: &[u8]) -> bool {
    let known = buf.len().min(signature.len());
    buf[..known] == signature[..known]
}

/// Version 1: one line of text.
fn parse_line(buf: &[u8]) -> Result<Option<(Announced, usize)>, ProxyHeaderError> {
    let view = &buf[..buf.len().min(V1_LINE_BYTES_MAX)];
    let Some(end) = memchr::memchr2(b'\r', b'\n', view) else {
        return if view.len() < V1_LINE_BYTES_MAX { Ok(None) } else { Err(ProxyHeaderError::LineEnding) };
    };
    match view[end..] {
        [b'\r'] if view.len() < V1_LINE_BYTES_MAX => return Ok(None),
        [b'\r', b'\n', ..] => {}
        _ => return Err(ProxyHeaderError::LineEnding),
    }
    let line = view.get(V1_SIGNATURE.len()..end).ok_or(ProxyHeaderError::Line)?;
    Ok(Some((parse_parts(line)?, end + 2)))
}

fn parse_parts(line: &[u8]) -> Result<Announced, ProxyHeaderError> {
    use ProxyHeaderError::{Address, Line};
    // What follows UNKNOWN is to be ignored, whatever it is.
    if line == b"UNKNOWN" || line.starts_with(b"UNKNOWN ") {
        return Ok(Announced::Peer);
    }
    let text = std::str::from_utf8(line).map_err(|_| Line)?;
    let mut parts = text.split(' ');
    let mut part = || parts.next().ok_or(Line);
    let (family, source, destination) = (part()?, part()?, part()?);
    let (source_port, destination_port) = (part()?, part()?);
    if parts.next().is_some() {
        return Err(Line);
    }
    let address = |text: &str| match family {
        // Refuses zeros in front, as the protocol does.
        "TCP4" => text.parse::<Ipv4Addr>().map(IpAddr::V4).map_err(|_| Address),
        "TCP6" => text.parse::<Ipv6Addr>().map(IpAddr::V6).map_err(|_| Address),
        _ => Err(Line),
    };
    let client = address(source)?;
    address(destination)?;
    match is_port(source_port) && is_port(destination_port) {
        true => Ok(Announced::Client(client.to_canonical())),
        false => Err(ProxyHeaderError::Port),
    }
}

fn is_port(text: &str) -> bool {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    is_plain && text.parse::<u16>().is_ok()
}

/// Version 2: a binary header that says how long it is.
fn parse_binary(buf: &[u8], bytes_max: usize) -> Result<Option<(Announced, usize)>, ProxyHeaderError> {
    let byte = |at: usize| buf.get(V2_SIGNATURE.len() + at).copied();
    let (Some(command), Some(family), Some(high), Some(low)) = (byte(0), byte(1), byte(2), byte(3)) else {
        return Ok(None);
    };
    let end = V2_FIXED_BYTES + usize::from(u16::from_be_bytes([high, low]));
    if end > bytes_max {
        return Err(ProxyHeaderError::TooLong);
    }
    // The whole header is waited for before any of it is used.
    let Some(header) = buf.get(..end) else { return Ok(None) };
    let announced = match command {
        // LOCAL: all of the rest is discarded, whatever it is.
        0x20 => Announced::Peer,
        0x21 => parse_client(header, family)?,
        _ => return Err(ProxyHeaderError::Command),
    };
    Ok(Some((announced, end)))
}

/// The command PROXY. What is no TCP over IP falls back to the peer's address, as the protocol wants it.
fn parse_client(header: &[u8], family: u8) -> Result<Announced, ProxyHeaderError> {
    let rest = &header[V2_FIXED_BYTES..];
    let (announced, addresses_bytes) = match (family, rest) {
        // Nothing is known of what follows.
        (0x00, _) => return Ok(Announced::Peer),
        (0x11, [a, b, c, d, ..]) => (Announced::Client(IpAddr::from([*a, *b, *c, *d])), 12),
        (0x21, _) => {
            let source = rest.first_chunk::<16>().ok_or(ProxyHeaderError::TooShort)?;
            (Announced::Client(IpAddr::from(*source).to_canonical()), 36)
        }
        (0x11 | 0x12, _) => (Announced::Peer, 12),
        (0x22, _) => (Announced::Peer, 36),
        (0x31 | 0x32, _) => (Announced::Peer, 216),
        _ => return Err(ProxyHeaderError::Family),
    };
    if rest.len() < addresses_bytes {
        return Err(ProxyHeaderError::TooShort);
    }
    check_vectors(header, V2_FIXED_BYTES + addresses_bytes)?;
    Ok(announced)
}

/// Walks over what follows the addresses. None of it is used, but it has to be well-formed, and a checksum right.
fn check_vectors(header: &[u8], from: usize) -> Result<(), ProxyHeaderError> {
    let mut checksum: Option<Range<usize>> = None;
    let mut at = from;
    while at < header.len() {
        let [kind, high, low, ..] = header[at..] else { return Err(ProxyHeaderError::Vector) };
        let value = at + TLV_FIXED_BYTES..at + TLV_FIXED_BYTES + usize::from(u16::from_be_bytes([high, low]));
        at = value.end;
        if at > header.len() {
            return Err(ProxyHeaderError::Vector);
        }
        if kind == TLV_CRC32C && (value.len() != 4 || checksum.replace(value).is_some()) {
            return Err(ProxyHeaderError::Checksum);
        }
    }
    let Some(place) = checksum else { return Ok(()) };
    // It was computed with zeros in its own place.
    let zeroed = header.iter().enumerate().map(|(at, byte)| if place.contains(&at) { 0 } else { *byte });
    match crc32c(zeroed).to_be_bytes() == header[place.clone()] {
        true => Ok(()),
        false => Err(ProxyHeaderError::Checksum),
    }
}

/// CRC32c (RFC 9260 appendix A), bit by bit: a header is short, there is one a connection, and hardly any has it.
fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    /// The polynomial of Castagnoli, its bits in reverse.
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let step = |crc: u32| (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
    !bytes.fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
}

#[cfg(test)]
mod tests;
