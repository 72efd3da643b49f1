//! Splits a keyword/value connection string by libpq's quoting (34.1.1.1): blanks around `=` are allowed, values with
//! blanks stand in single quotes, a backslash makes the next character plain. Interprets no value.

use super::{TargetError, parameters};
use std::{iter::Peekable, str::Chars};

/// Keywords with values, in the order written.
pub(super) fn pairs(text: &str) -> Result<Vec<(String, String)>, TargetError> {
    if !text.is_empty() && !text.contains('=') {
        return Err(TargetError::Form);
    }
    // Before the first '=' a "://" can only be a scheme; a value may well hold one.
    if text.split('=').next().is_some_and(|head| head.contains("://")) {
        return Err(TargetError::Scheme);
    }
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut rest = text.chars().peekable();
    loop {
        skip_blanks(&mut rest);
        if rest.peek().is_none() {
            return Ok(pairs);
        }
        let mut keyword = String::new();
        while let Some(c) = rest.next_if(|c| !c.is_whitespace() && *c != '=') {
            keyword.push(c);
        }
        skip_blanks(&mut rest);
        if rest.next() != Some('=') || keyword.is_empty() {
            return Err(TargetError::Pair { after: place(pairs.last().map(|(name, _)| name.as_str())) });
        }
        skip_blanks(&mut rest);
        let value = if rest.next_if_eq(&'\'').is_some() {
            quoted(&mut rest).ok_or_else(|| TargetError::Quote { keyword: place(Some(&keyword)) })?
        } else {
            plain(&mut rest)
        };
        pairs.push((keyword, value));
    }
}

/// A word that is no parameter may be a piece of a password with blanks in it: it is not repeated.
fn place(keyword: Option<&str>) -> String {
    match keyword {
        None => "the beginning".to_owned(),
        Some(name) if parameters::is_known(name) => format!("the value of {name}"),
        Some(_) => "an unknown word".to_owned(),
    }
}

fn skip_blanks(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| c.is_whitespace()).is_some() {}
}

fn plain(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut value = String::new();
    while let Some(c) = rest.next_if(|c| !c.is_whitespace()) {
        // libpq drops a backslash at the very end.
        value.extend(if c == '\\' { rest.next() } else { Some(c) });
    }
    value
}

fn quoted(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut value = String::new();
    loop {
        match rest.next()? {
            '\'' => return Some(value),
            '\\' => value.push(rest.next()?),
            c => value.push(c),
        }
    }
}
