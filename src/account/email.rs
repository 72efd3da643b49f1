//! An email address in the one spelling under which an account is stored, looked up and routed.
//! Never says whether a mailbox exists, and never keeps the spelling that was sent.
//!
//! Grammar: the dot-atom form of RFC 5322 section 3.4.1, widened to UTF-8 by RFC 6531 section 3.3, and a domain name
//! with at least two labels. Quoted local parts, comments, IP literals and surrounding white space are refused: no
//! sign-up form needs them, and each is a second spelling of something.
//!
//! One mailbox, one spelling:
//! - The domain becomes lower-case A-labels by UTS 46, non-transitional, with the strict flags.
//! - The local part is lower-cased too. RFC 5321 section 2.4 lets a host tell `Bob` from `bob`; none in use does, and
//!   people who type either expect one account.
//! - A local part outside ASCII is brought to NFC, and taken only when UTS 46 would leave every label of it as it is.
//!   That refuses what is invisible, reordering, unassigned or a compatibility form of something else. A character
//!   that folds *into* ASCII (U+212A, the Kelvin sign, lower-cases to `k`) is refused as well: with it, a stranger
//!   could write an address that is stored as somebody else's.

use std::borrow::Cow;
use std::iter::once;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

/// RFC 5321 section 4.5.3.1.1.
pub const LOCAL_PART_OCTETS_MAX: usize = 64;
/// RFC 5321 section 4.5.3.1.3 allows a path of 256 octets, which includes the two angle brackets.
pub const EMAIL_OCTETS_MAX: usize = 254;
/// RFC 1035 section 2.3.4.
const LABEL_OCTETS_MAX: usize = 63;
/// An address may shrink when it is normalised, so more than the final length is read; this bounds the work on it.
const SENT_OCTETS_MAX: usize = 4 * EMAIL_OCTETS_MAX;

/// A normalised email address: at most 254 octets, domain in ASCII, everything lower-case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Email(Box<str>);

/// Why a string is not an [`Email`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EmailError {
    /// There is no `@`.
    #[error("has no @")]
    NoAt,
    /// What stands before the `@` is empty or not a dot-atom.
    #[error("has an invalid part before the @")]
    LocalPart,
    /// What stands before the `@` is longer than 64 octets.
    #[error("has more than {LOCAL_PART_OCTETS_MAX} octets before the @")]
    LocalPartTooLong,
    /// What stands after the `@` is not a domain name.
    #[error("has an invalid domain")]
    Domain,
    /// The domain has one label only, or a top level that is a number.
    #[error("has a domain that is not fully qualified")]
    DomainNotQualified,
    /// The whole is longer than 254 octets.
    #[error("has more than {EMAIL_OCTETS_MAX} octets")]
    TooLong,
}

impl Email {
    /// Parses and normalises an address. ASCII input costs one allocation, the result.
    ///
    /// # Errors
    /// The first rule that `sent` breaks; none of its text is repeated.
    pub fn parse(sent: &str) -> Result<Self, EmailError> {
        if sent.len() > SENT_OCTETS_MAX {
            return Err(EmailError::TooLong);
        }
        let (local, domain) = sent.rsplit_once('@').ok_or(EmailError::NoAt)?;
        let local = local_part(local)?;
        if local.len() > LOCAL_PART_OCTETS_MAX {
            return Err(EmailError::LocalPartTooLong);
        }
        let domain = ascii_domain(domain)?;
        if !is_qualified(&domain) {
            return Err(EmailError::DomainNotQualified);
        }
        let octets = local.len() + 1 + domain.len();
        if octets > EMAIL_OCTETS_MAX {
            return Err(EmailError::TooLong);
        }
        let mut whole = String::with_capacity(octets);
        whole.push_str(&local);
        whole.push('@');
        whole.push_str(&domain);
        whole.make_ascii_lowercase();
        Ok(Self(whole.into_boxed_str()))
    }

    /// The normalised address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `atext` of RFC 5322 section 3.2.3.
const fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'/'
                | b'='
                | b'?'
                | b'^'
                | b'_'
                | b'`'
                | b'{'
                | b'|'
                | b'}'
                | b'~'
        )
}

const ATEXT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = is_atext(byte as u8);
        byte += 1;
    }
    table
};

/// Lower-cases nothing in ASCII: that is done once for the whole address.
fn local_part(local: &str) -> Result<Cow<'_, str>, EmailError> {
    let mut atom_is_empty = true;
    for &byte in local.as_bytes() {
        match byte {
            b'.' if atom_is_empty => return Err(EmailError::LocalPart),
            b'.' => atom_is_empty = true,
            _ if ATEXT[usize::from(byte)] || byte >= 0x80 => atom_is_empty = false,
            _ => return Err(EmailError::LocalPart),
        }
    }
    if atom_is_empty {
        return Err(EmailError::LocalPart);
    }
    if local.is_ascii() {
        return Ok(Cow::Borrowed(local));
    }
    international_local_part(local).map(Cow::Owned).ok_or(EmailError::LocalPart)
}

fn international_local_part(local: &str) -> Option<String> {
    let folds_into_ascii = |c: char| once(c).nfc().flat_map(char::to_lowercase).any(|folded| folded.is_ascii());
    if local.chars().any(|c| !c.is_ascii() && folds_into_ascii(c)) {
        return None;
    }
    let normalised: String = local.nfc().flat_map(char::to_lowercase).nfc().collect();
    let (mapped, verdict) = Uts46::new().to_unicode(normalised.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow);
    (verdict.is_ok() && mapped == normalised).then_some(normalised)
}

fn ascii_domain(domain: &str) -> Result<Cow<'_, str>, EmailError> {
    if is_plain_domain(domain.as_bytes()) {
        return Ok(Cow::Borrowed(domain));
    }
    Uts46::new()
        .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Verify)
        .map_err(|_| EmailError::Domain)
}

/// Vouches for domains that UTS 46 would only lower-case, which is nearly all of them. Whatever it does not vouch for,
/// A-labels included, is for the library to judge.
fn is_plain_domain(domain: &[u8]) -> bool {
    domain.split(|&byte| byte == b'.').all(|label| {
        let reserved = label.len() >= 4 && label[2] == b'-' && label[3] == b'-';
        (1..=LABEL_OCTETS_MAX).contains(&label.len())
            && !reserved
            && label[0] != b'-'
            && label[label.len() - 1] != b'-'
            && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    })
}

/// RFC 3696 section 2: a top level of digits only would be read as the end of an IP address.
fn is_qualified(domain: &str) -> bool {
    domain.rsplit_once('.').is_some_and(|(_, top)| !top.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
