//! The text of a key file. Pure: text in, keys out, and back.
//! Never lets any of the text into an error: a line number and a reason must do.
//!
//! ```text
//! jeday-keys 1
//! # kind       id           created              key (32 bytes, Base64)
//! pepper       3b1f0c9a77d2 2025-01-31T12:00:00Z <43 characters>
//! token-local  ...
//! token-public ...
//! refresh      ...
//! refresh      ...                                               staged
//! ```
//!
//! The first line names the format. `#` starts a comment line; empty lines are skipped; fields are separated by blanks.
//! Of each kind the first line is the key in use. The last one may be staged, which a fifth field says: known, and not
//! used yet. An old key is retired by deleting its line. A kind without a line is one that was not needed yet.
//! A format of its own, because a library's parser copies and quotes what it reads, and here that is the secret.

use std::fmt::Write as _;

use base64ct::{Base64Unpadded, Encoding};
use jiff::Timestamp;
use thiserror::Error;
use zeroize::Zeroizing;

use super::{KEY_BYTES, KEYS_PER_KIND_MAX, Key, KeyId, KeyKind, Keys};

const FORMAT: &str = "jeday-keys 1";

const HEADER: &str = "\
# Secret. Keep a copy in a safe place: without the peppers nobody can log in again.
# The first key of a kind is in use; older ones stay for what was made with them, a staged one waits for its promotion.
# `jeday keygen --help` tells how to add one.
# kind, id, created, key
";

/// The fifth field of a key that is not used yet.
const STAGED: &str = "staged";

/// More than the longest line: kind, id, time, key and mark.
const LINE_BYTES: usize = 128;

/// The largest text that can be a key file, in bytes; leaves as much again for comments.
pub(super) const TEXT_BYTES_MAX: usize = HEADER.len() + 2 * LINE_BYTES * KEYS_PER_KIND_MAX * KeyKind::ALL.len();

/// Why a text is not a key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {problem}")]
pub struct KeyTextError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with that line.
    pub problem: KeyTextProblem,
}

/// What is wrong with a line of a key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyTextProblem {
    /// The first line is not the name of the format.
    #[error("does not say `{FORMAT}`: not a key file, or one of a newer version of Jeday")]
    Format,
    /// Not UTF-8.
    #[error("is not text")]
    NotText,
    /// Not four fields, nor a fifth that marks a staged key.
    #[error("does not have the four fields kind, id, created and key, and at most `{STAGED}` after them")]
    Fields,
    /// A kind that this version does not know.
    #[error("is of an unknown kind: a newer version of Jeday may have written it")]
    Kind,
    /// The second field is no id.
    #[error("has an id that is not {} hexadecimal digits", KeyId::BYTES)]
    Id,
    /// The third field is no time.
    #[error("has a time that is not RFC 3339")]
    Created,
    /// The fourth field is no key.
    #[error("has a key that is not {KEY_BYTES} bytes in Base64 without padding")]
    Key,
    /// The key is not the one that the id was made from.
    #[error("has a key that does not belong to its id: restore the line from a copy")]
    OtherKey,
    /// The key stands in an earlier line too.
    #[error("repeats a key")]
    Repeated,
    /// A staged key that no key in use precedes, or a key behind a staged one.
    #[error("is not in its place: the key in use is the first of its kind, and one that is staged the last")]
    Place,
    /// More than [`KEYS_PER_KIND_MAX`] keys of one kind.
    #[error("is one key of its kind too many: delete the oldest that nothing uses any more")]
    TooMany,
}

/// Reads the text of a key file.
pub(super) fn parse(text: &[u8]) -> Result<Keys, KeyTextError> {
    let mut keys = Keys::default();
    for (line, bytes) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        let fail = |problem| KeyTextError { line, problem };
        let content = std::str::from_utf8(bytes).map_err(|_| fail(KeyTextProblem::NotText))?.trim_ascii();
        if line == 1 {
            if content != FORMAT {
                return Err(fail(KeyTextProblem::Format));
            }
        } else if !content.is_empty() && !content.starts_with('#') {
            let key = parse_line(content).map_err(fail)?;
            if keys.find(key.kind(), key.id()).is_some() {
                return Err(fail(KeyTextProblem::Repeated));
            }
            if keys.staged(key.kind()).is_some() || (key.is_staged() && keys.newest(key.kind()).is_none()) {
                return Err(fail(KeyTextProblem::Place));
            }
            if keys.of(key.kind()).count() == KEYS_PER_KIND_MAX {
                return Err(fail(KeyTextProblem::TooMany));
            }
            keys.0.push(key);
        }
    }
    Ok(keys)
}

fn parse_line(content: &str) -> Result<Key, KeyTextProblem> {
    let mut fields = content.split_ascii_whitespace();
    let (Some(kind), Some(id), Some(created), Some(encoded), mark, None) =
        (fields.next(), fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(KeyTextProblem::Fields);
    };
    if mark.is_some_and(|mark| mark != STAGED) {
        return Err(KeyTextProblem::Fields);
    }
    let kind: KeyKind = kind.parse().map_err(|()| KeyTextProblem::Kind)?;
    let id: KeyId = id.parse().map_err(|_| KeyTextProblem::Id)?;
    let created: Timestamp = created.parse().map_err(|_| KeyTextProblem::Created)?;
    let mut key = Key::from_base64(kind, Some(created), encoded).ok_or(KeyTextProblem::Key)?;
    key.staged = mark.is_some();
    if key.id() == id { Ok(key) } else { Err(KeyTextProblem::OtherKey) }
}

/// Writes the text of a key file. A key without a time of creation gets `now`.
pub fn render(keys: &Keys, now: Timestamp) -> Zeroizing<String> {
    // All of it at once: a string that grows leaves its old memory behind unwiped.
    let room = FORMAT.len() + 1 + HEADER.len() + LINE_BYTES * keys.0.len();
    let mut text = Zeroizing::new(String::with_capacity(room));
    text.push_str(FORMAT);
    text.push('\n');
    text.push_str(HEADER);
    for key in KeyKind::ALL.into_iter().flat_map(|kind| keys.of(kind)) {
        let mut buffer = Zeroizing::new([0; (4 * KEY_BYTES).div_ceil(3)]);
        let encoded =
            Base64Unpadded::encode(key.secret(), buffer.as_mut_slice()).expect("the buffer is as long as the encoding");
        let created = key.created().unwrap_or(now);
        let (kind, id) = (key.kind().as_str(), key.id());
        let (gap, mark) = if key.is_staged() { (" ", STAGED) } else { ("", "") };
        writeln!(text, "{kind:<12} {id} {created:.0} {encoded}{gap}{mark}")
            .expect("a string takes whatever is written");
    }
    debug_assert!(text.capacity() == room, "the text outgrew its room");
    text
}

#[cfg(test)]
mod tests;
