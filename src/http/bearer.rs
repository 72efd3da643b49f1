//! The `Authorization` field with a bearer token (RFC 6750 section 2.1). Never looks into the token: whether it is one
//! of ours is not known here.

use thiserror::Error;

/// Why a request has no bearer token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BearerError {
    /// No `Authorization`, or one of another scheme. The challenge then names no error (RFC 6750 section 3.1).
    #[error("no bearer token")]
    Missing,
    /// The scheme is `Bearer`, but what follows is no token.
    #[error("malformed bearer token")]
    Malformed,
}

/// The token of `"Bearer" 1*SP b64token`. The scheme's name may be in any case (RFC 9110 section 11.1).
///
/// # Errors
/// [`BearerError`] says whether another scheme was meant, or none.
pub fn token(authorization: Option<&[u8]>) -> Result<&str, BearerError> {
    const SCHEME: &[u8] = b"Bearer";
    let value = authorization.ok_or(BearerError::Missing)?;
    let (scheme, rest) = value.split_at_checked(SCHEME.len()).ok_or(BearerError::Missing)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) || !matches!(rest, [] | [b' ' | b'\t', ..]) {
        return Err(BearerError::Missing);
    }
    let spaces = rest.iter().take_while(|&&byte| byte == b' ').count();
    let token = &rest[spaces..];
    let padding = token.iter().rev().take_while(|&&byte| byte == b'=').count();
    let body = &token[..token.len() - padding];
    match std::str::from_utf8(token) {
        Ok(text) if !body.is_empty() && body.iter().all(|&byte| is_token_byte(byte)) => Ok(text),
        _ => Err(BearerError::Malformed),
    }
}

/// `b64token`, which is `token68` of RFC 9110 section 11.2, before its padding.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_behind_its_scheme() {
        for (field, wanted) in
            [("Bearer v4.local.aB-_9", "v4.local.aB-_9"), ("bearer x", "x"), ("BEARER   a+b/c~d==", "a+b/c~d==")]
        {
            assert_eq!(token(Some(field.as_bytes())), Ok(wanted), "{field}");
        }
    }

    #[test]
    fn another_scheme_is_no_mistake_but_no_token_either() {
        assert_eq!(token(None), Err(BearerError::Missing));
        for field in ["", "Basic YTpi", "Bear", "Bearers x", "Bearer=x", "Bearer,x", "Beare r"] {
            assert_eq!(token(Some(field.as_bytes())), Err(BearerError::Missing), "{field}");
        }
    }

    #[test]
    fn what_is_no_token_is_malformed() {
        for field in
            ["Bearer", "Bearer ", "Bearer =", "Bearer a b", "Bearer a=b", "Bearer \tx", "Bearer\tx", "Bearer a,"]
        {
            assert_eq!(token(Some(field.as_bytes())), Err(BearerError::Malformed), "{field}");
        }
        assert_eq!(token(Some(b"Bearer a\xff")), Err(BearerError::Malformed));
    }
}
