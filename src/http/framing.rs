//! How long a request's body is (RFC 9112 section 6): `Content-Length` and `Transfer-Encoding`.
//! Never guesses: two answers, or one that another parser could read differently, is an error.

use super::grammar::{is_token, list, trim_ows};
use super::head::{HeadError, Malformed, Version};

/// Where a request's body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// No body.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks (RFC 9112 section 7.1).
    Chunked,
}

/// What the fields of one head say about its body.
#[derive(Debug, Default)]
pub(super) struct FramingFields {
    length: Option<u64>,
    coding: Option<Coding>,
}

#[derive(Debug, Default)]
struct Coding {
    chunked: bool,
    unknown: bool,
}

impl FramingFields {
    /// Digits only. A repeated field and a list are refused even if all values agree, as RFC 9112 section 6.3 allows.
    #[inline]
    pub(super) fn content_length(&mut self, value: &[u8]) -> Result<(), HeadError> {
        let length = decimal(value).ok_or(Malformed::ContentLength)?;
        if self.length.replace(length).is_some() {
            return Err(Malformed::ContentLength.into());
        }
        Ok(())
    }

    /// Takes in one field line; several lines count as one list. A coding behind `chunked` is refused, and so is an
    /// empty element, which other list fields may have.
    pub(super) fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), HeadError> {
        let coding = self.coding.get_or_insert_default();
        for element in list(value) {
            if coding.chunked {
                return Err(Malformed::TransferEncoding.into());
            }
            if element.eq_ignore_ascii_case(b"chunked") {
                coding.chunked = true;
                continue;
            }
            let name = element.split(|&b| b == b';').next().unwrap_or_default();
            if !is_token(trim_ows(name)) {
                return Err(Malformed::TransferEncoding.into());
            }
            coding.unknown = true;
        }
        Ok(())
    }

    #[inline]
    pub(super) fn decide(&self, version: Version) -> Result<BodyFraming, HeadError> {
        let Some(coding) = &self.coding else {
            return Ok(self.length.map_or(BodyFraming::None, BodyFraming::Length));
        };
        if version == Version::Http10 {
            return Err(Malformed::TransferEncodingInHttp10.into());
        }
        if self.length.is_some() {
            return Err(Malformed::LengthAndTransferEncoding.into());
        }
        // RFC 9112 section 6.3: without `chunked` at the end nobody can say where the body ends, known coding or not.
        if !coding.chunked {
            return Err(Malformed::TransferEncoding.into());
        }
        if coding.unknown {
            return Err(HeadError::UnknownTransferCoding);
        }
        Ok(BodyFraming::Chunked)
    }
}

#[inline]
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |value, &b| {
        if !b.is_ascii_digit() {
            return None;
        }
        value.checked_mul(10)?.checked_add(u64::from(b - b'0'))
    })
}
