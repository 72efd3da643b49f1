//! The settings of PostgreSQL that go with a tuning profile: a file beside it, of which a plan reads what takes memory
//! and lets connections in. Never judges the rest, which PostgreSQL does itself.

use super::{super::context::read_text, CliError};
use std::path::{Path, PathBuf};

/// What a profile's name ends with instead of `.toml`.
const EXTENSION: &str = "postgresql.conf";

/// PostgreSQL's own, where the file does not name them.
const CONNECTIONS_MAX: u32 = 100;
const SUPERUSERS_RESERVED: u32 = 3;
const SHARED_BUFFERS_BYTES: u64 = 128 << 20;

/// What a plan has to know of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    pub(super) connections_max: u32,
    pub(super) connections_reserved: u32,
    pub(super) shared_buffers_bytes: u64,
}

/// Reads the file beside the profile, where there is one.
pub(super) fn beside(profile: &Path) -> Result<Option<(PathBuf, Fragment)>, CliError> {
    let path = profile.with_extension(EXTENSION);
    if !path.is_file() {
        return Ok(None);
    }
    let unusable = |why: String| CliError::usage(format!("{} cannot be used: {why}", path.display()));
    let text = read_text(&path).map_err(|error| unusable(error.to_string()))?;
    let fragment = parse(&text).map_err(|line| unusable(format!("{line:?} is not what PostgreSQL takes")))?;
    Ok(Some((path, fragment)))
}

/// The line that cannot be understood is the error. The last of equal settings counts, as for PostgreSQL.
fn parse(text: &str) -> Result<Fragment, &str> {
    let mut fragment = Fragment {
        connections_max: CONNECTIONS_MAX,
        connections_reserved: 0,
        shared_buffers_bytes: SHARED_BUFFERS_BYTES,
    };
    let (mut superusers, mut others) = (SUPERUSERS_RESERVED, 0);
    for line in text.lines() {
        let setting = line.split('#').next().unwrap_or_default().trim();
        let Some((name, value)) = setting.split_once('=') else { continue };
        let value = value.trim().trim_matches('\'');
        let number = || value.parse::<u32>().map_err(|_| line);
        match name.trim() {
            "max_connections" => fragment.connections_max = number()?,
            "superuser_reserved_connections" => superusers = number()?,
            "reserved_connections" => others = number()?,
            "shared_buffers" => fragment.shared_buffers_bytes = memory(value).ok_or(line)?,
            _ => {}
        }
    }
    fragment.connections_reserved = superusers.saturating_add(others);
    Ok(fragment)
}

/// PostgreSQL's units of memory have factors of 1024, whatever their letters; a number without one counts 8 KiB pages.
fn memory(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let factor = match text[end..].trim() {
        "" => 8 << 10,
        "B" => 1,
        "kB" => 1 << 10,
        "MB" => 1 << 20,
        "GB" => 1 << 30,
        "TB" => 1 << 40,
        _ => return None,
    };
    text[..end].parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_memory_and_connections_is_read() {
        let text = "# max_connections = 1\nmax_connections = 40\nmax_connections = 50 # the last\n\
                    shared_buffers = '2GB'\nfsync = on\nreserved_connections = 2\n";
        let found = Fragment { connections_max: 50, connections_reserved: 5, shared_buffers_bytes: 2 << 30 };
        assert_eq!(parse(text), Ok(found));
        let defaults = Fragment { connections_max: 100, connections_reserved: 3, shared_buffers_bytes: 128 << 20 };
        assert_eq!(parse(""), Ok(defaults));
    }

    #[test]
    fn what_postgresql_would_refuse_is_told() {
        assert_eq!(parse("jit = off\nshared_buffers = 2GiB"), Err("shared_buffers = 2GiB"));
        assert_eq!(parse("max_connections = many"), Err("max_connections = many"));
        assert_eq!((memory("16384"), memory("99999999999TB")), (Some(128 << 20), None));
    }
}
