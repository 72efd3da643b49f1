//! The claims of an access token: written, read, and judged by a time that is given. Knows no key and no encryption.
//! What it reads is authentic already; it is checked all the same, because a key may be shared with another program.

use std::borrow::Cow;
use std::fmt::Write;

use base64ct::{Base64UrlUnpadded, Encoding};
use jiff::Timestamp;
use serde::Deserialize;

use super::TokenRejected;
use crate::account::{SessionId, UserId};
use crate::limits::CLOCK_SKEW_S;

/// Length of the random id of a token, in bytes.
pub const TOKEN_ID_BYTES: usize = 16;

/// More than all claims of a token but the names of issuer and audience.
const CLAIMS_BYTES: usize = 320;

/// What an accepted access token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Whom the token speaks for (`sub`).
    pub user: UserId,
    /// The session that it was issued in (`sid`).
    pub session: SessionId,
    /// When it was issued (`iat`), in seconds since 1970.
    pub issued_unix_s: i64,
    /// When it expires (`exp`), in seconds since 1970.
    pub expires_unix_s: i64,
}

/// The claims that all tokens have in common.
#[derive(Clone)]
pub(super) struct Names {
    issuer: String,
    audience: String,
    /// The beginning of the JSON, up to the first claim that differs from token to token.
    opening: String,
}

/// The claims by their names in PASETO's registry; `sid` is that of OpenID Connect.
#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(borrow)]
    aud: Cow<'a, str>,
    #[serde(borrow)]
    sub: Cow<'a, str>,
    #[serde(borrow)]
    sid: Cow<'a, str>,
    #[serde(borrow)]
    iat: Cow<'a, str>,
    #[serde(borrow)]
    nbf: Cow<'a, str>,
    #[serde(borrow)]
    exp: Cow<'a, str>,
    #[serde(borrow, rename = "jti")]
    _jti: Cow<'a, str>,
}

impl Names {
    pub(super) fn new(issuer: String, audience: String) -> Self {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let opening = format!("{{\"iss\":{},\"aud\":{},\"sub\":\"", quoted(&issuer), quoted(&audience));
        Self { issuer, audience, opening }
    }

    /// The claims as JSON. Times outside the years that RFC 3339 has are moved to the nearest that it has.
    pub(super) fn write(&self, claims: &Claims, id: &[u8; TOKEN_ID_BYTES]) -> String {
        const FITS: &str = "a string takes whatever is written";
        let time = |unix_s: i64| {
            let in_range = unix_s.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
            Timestamp::from_second(in_range).expect("the time was moved into the range")
        };
        let mut json = String::with_capacity(self.opening.len() + CLAIMS_BYTES);
        json.push_str(&self.opening);
        json.push_str(claims.user.encode(&mut [0; UserId::TEXT_BYTES]));
        json.push_str("\",\"sid\":\"");
        json.push_str(claims.session.encode(&mut [0; SessionId::TEXT_BYTES]));
        let (issued, expires) = (time(claims.issued_unix_s), time(claims.expires_unix_s));
        write!(json, "\",\"iat\":\"{issued}\",\"nbf\":\"{issued}\",\"exp\":\"{expires}\",\"jti\":\"").expect(FITS);
        let mut buffer = [0; (4 * TOKEN_ID_BYTES).div_ceil(3)];
        json.push_str(Base64UrlUnpadded::encode(id, &mut buffer).expect("the buffer is as long as the encoding"));
        json.push_str("\"}");
        json
    }

    /// Reads the claims and judges them.
    pub(super) fn read(&self, json: &str, now_unix_s: i64) -> Result<Claims, TokenRejected> {
        let payload: Payload<'_> = serde_json::from_str(json).map_err(|_| TokenRejected::Claims)?;
        if payload.iss != self.issuer {
            return Err(TokenRejected::Issuer);
        }
        if payload.aud != self.audience {
            return Err(TokenRejected::Audience);
        }
        let time = |text: &str| text.parse().map(Timestamp::as_second).map_err(|_| TokenRejected::Claims);
        let claims = Claims {
            user: payload.sub.parse().map_err(|_| TokenRejected::Claims)?,
            session: payload.sid.parse().map_err(|_| TokenRejected::Claims)?,
            issued_unix_s: time(&payload.iat)?,
            expires_unix_s: time(&payload.exp)?,
        };
        let valid_from_s = time(&payload.nbf)?.max(claims.issued_unix_s);
        if valid_from_s > now_unix_s.saturating_add(CLOCK_SKEW_S) {
            Err(TokenRejected::NotYetValid)
        } else if claims.expires_unix_s <= now_unix_s.saturating_sub(CLOCK_SKEW_S) {
            // The second of `exp` itself is past it (RFC 7519 section 4.1.4, which PASETO's claim follows).
            Err(TokenRejected::Expired)
        } else {
            Ok(claims)
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const NOW: i64 = 1_738_324_800;

    fn names() -> Names {
        Names::new("https://auth.example.org".into(), "a \"quoted\" api".into())
    }

    fn claims() -> Claims {
        let user = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f".parse().unwrap();
        let session = "017f22e2-79b1-7cc3-98c4-dc0c0c07398f".parse().unwrap();
        Claims { user, session, issued_unix_s: NOW, expires_unix_s: NOW + 900 }
    }

    fn json() -> String {
        names().write(&claims(), &[0xff; TOKEN_ID_BYTES])
    }

    #[test]
    fn claims_are_written_by_their_registered_names() {
        expect![[r#"{"iss":"https://auth.example.org","aud":"a \"quoted\" api","sub":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f","sid":"017f22e2-79b1-7cc3-98c4-dc0c0c07398f","iat":"2025-01-31T12:00:00Z","nbf":"2025-01-31T12:00:00Z","exp":"2025-01-31T12:15:00Z","jti":"_____________________w"}"#]].assert_eq(&json());
        assert!(json().len() <= json().capacity());
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(names().read(&json(), NOW), Ok(claims()));
        // Another program may use other notation for the same.
        let json = json().replace("12:00:00Z", "12:00:00.5+00:00").replace("\"sub\"", "\"\\u0073ub\"");
        assert_eq!(names().read(&json.replace('{', "{ \"more\": [1, {}], "), NOW), Ok(claims()));
    }

    #[test]
    fn a_token_is_valid_from_its_issue_to_its_expiry_give_or_take_the_skew() {
        let at = |second| names().read(&json(), second).err();
        assert_eq!(at(NOW - CLOCK_SKEW_S - 1), Some(TokenRejected::NotYetValid));
        assert_eq!(at(NOW - CLOCK_SKEW_S), None);
        assert_eq!(at(NOW + 900 + CLOCK_SKEW_S - 1), None);
        assert_eq!(at(NOW + 900 + CLOCK_SKEW_S), Some(TokenRejected::Expired));
        assert_eq!(at(i64::MIN), Some(TokenRejected::NotYetValid));
        assert_eq!(at(i64::MAX), Some(TokenRejected::Expired));
    }

    #[test]
    fn the_later_of_issue_and_not_before_counts() {
        let later = |claim: &str| json().replace(&format!("\"{claim}\":\"2025"), &format!("\"{claim}\":\"2026"));
        for claim in ["iat", "nbf"] {
            assert_eq!(names().read(&later(claim), NOW).err(), Some(TokenRejected::NotYetValid), "{claim}");
        }
    }

    #[test]
    fn foreign_and_incomplete_claims_are_told_apart() {
        let other = |issuer: &str, audience: &str| Names::new(issuer.into(), audience.into()).read(&json(), NOW).err();
        assert_eq!(other("https://auth.example.com", "a \"quoted\" api"), Some(TokenRejected::Issuer));
        assert_eq!(other("https://auth.example.org", "other"), Some(TokenRejected::Audience));
        let claim = |json: &str| assert_eq!(names().read(json, NOW).err(), Some(TokenRejected::Claims), "{json}");
        for name in ["iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti"] {
            claim(&json().replace(&format!("\"{name}\""), "\"x\""));
        }
        for text in ["", "{}", "[]", "null", &json()[1..], &format!("{}x", json())] {
            claim(text);
        }
        claim(&json().replace("017f22e2-79b0-7", "017f22e2-79b0-4"));
        claim(&json().replace("2025-01-31T12:15", "2025-01-32T12:15"));
        claim(&json().replace("\"iat\":", "\"sub\":\"\",\"iat\":"));
    }

    #[test]
    fn clocks_far_off_break_nothing() {
        for unix_s in [i64::MIN, -1, i64::MAX] {
            let json = names().write(&Claims { issued_unix_s: unix_s, expires_unix_s: unix_s, ..claims() }, &[0; 16]);
            assert!(names().read(&json, NOW).is_err());
        }
    }
}
