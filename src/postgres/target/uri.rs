//! Splits a connection URI into libpq's keywords and values, by the rules of libpq's documentation (34.1.1.2): several
//! hosts with ports of their own, any part left out, percent-encoding everywhere. Interprets no value.

use super::TargetError;
use percent_encoding::percent_decode_str;

/// The text after the scheme, when it is one of PostgreSQL's.
pub(super) fn strip_scheme(text: &str) -> Option<&str> {
    text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))
}

/// The user part ends at the first `@`, and there is none when a `/` comes first: as libpq has it.
fn split_user(rest: &str) -> (Option<&str>, &str) {
    match rest.find(['@', '/']) {
        Some(at) if rest.as_bytes()[at] == b'@' => (Some(&rest[..at]), &rest[at + 1..]),
        _ => (None, rest),
    }
}

/// Keywords with values, in the order written.
pub(super) fn pairs(rest: &str) -> Result<Vec<(String, String)>, TargetError> {
    let mut pairs = Vec::new();
    let (user, rest) = split_user(rest);
    // Stricter than libpq, which would take the rest of a password for a host, a database or a value, and Jeday would
    // show it.
    if rest.contains('@') {
        return Err(TargetError::Unescaped);
    }
    if let Some(user) = user {
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        push(&mut pairs, "user", decode(user, "user")?);
        push(&mut pairs, "password", decode(password, "password")?);
    }
    let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for part in authority.split(',') {
        let (host, port) = split_port(part)?;
        hosts.push(decode(host, "host")?);
        ports.push(decode(port, "port")?);
    }
    push(&mut pairs, "host", hosts.join(","));
    push(&mut pairs, "port", ports.join(","));

    let (database, query) = rest.split_once('?').unwrap_or((rest, ""));
    push(&mut pairs, "dbname", decode(database.strip_prefix('/').unwrap_or(database), "database name")?);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or(TargetError::QueryPair)?;
        let name = decode(name, "name of a query parameter")?;
        let value = decode(value, &format!("parameter {name}"))?;
        if name == "ssl" {
            if value != "true" {
                return Err(TargetError::Value { name, accepted: "true, short for sslmode=require" });
            }
            pairs.push(("sslmode".into(), "require".into()));
        } else {
            pairs.push((name, value));
        }
    }
    Ok(pairs)
}

fn split_port(part: &str) -> Result<(&str, &str), TargetError> {
    let (host, port) = match part.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or(TargetError::Brackets)?;
            match rest.strip_prefix(':') {
                Some(port) => (host, port),
                None if rest.is_empty() => (host, ""),
                None => return Err(TargetError::Brackets),
            }
        }
        None => part.split_once(':').unwrap_or((part, "")),
    };
    if port.contains(':') || (part.starts_with('[') && host.is_empty()) {
        return Err(TargetError::Brackets);
    }
    Ok((host, port))
}

/// Parts left empty are left to the environment and the defaults.
fn push(pairs: &mut Vec<(String, String)>, keyword: &str, value: String) {
    if !value.is_empty() {
        pairs.push((keyword.to_owned(), value));
    }
}

fn decode(text: &str, part: &str) -> Result<String, TargetError> {
    let wrong = || TargetError::Escape { part: part.to_owned() };
    let mut rest = text.as_bytes();
    while let Some(at) = memchr::memchr(b'%', rest) {
        match rest.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) && digits != b"00" => rest = &rest[at + 3..],
            _ => return Err(wrong()),
        }
    }
    Ok(percent_decode_str(text).decode_utf8().map_err(|_| wrong())?.into_owned())
}
