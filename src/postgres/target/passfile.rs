//! Finds a password in the text of a libpq password file: lines of `host:port:database:user:password`, where `*`
//! matches anything and a backslash makes the next character plain. Opens no file.

use super::Secret;

/// The password of the first line that fits.
pub(in crate::postgres) fn look_up(text: &str, host: &str, port: u16, database: &str, user: &str) -> Option<Secret> {
    let wanted = [host, &port.to_string(), database, user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut rest = line;
        for value in wanted {
            let (found, after) = field(rest)?;
            // An escaped star is a star.
            if !(rest.starts_with("*:") || found == value) {
                return None;
            }
            rest = after;
        }
        let (password, _) = field(rest).unwrap_or((unescape(rest), ""));
        Some(Secret(password))
    })
}

/// The text up to the next unescaped colon, and what follows it; `None` without a colon.
fn field(text: &str) -> Option<(String, &str)> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ':' => return Some((unescape(&text[..at]), &text[at + 1..])),
            _ => {}
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        plain.extend(if c == '\\' { rest.next() } else { Some(c) });
    }
    plain
}
