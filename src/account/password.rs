//! A password as somebody typed it, between the request and the first hash.
//! Never shown, never compared as it stands, never cut short, and wiped when dropped.
//!
//! The rules are those of NIST SP 800-63B section 5.1.1.2 (800-63B-4: section 3.1.1.2): a least length and a greatest
//! one that is not below 64, both in code points; any Unicode; no rules of composition; a list of common passwords.
//! Revision 4 asks for 15 characters where the password is the only factor. The default stays at 8, what users of the
//! Go version have; an operator raises it in the policy.
//!
//! Text outside ASCII is brought to NFC before anything looks at it, as OpaqueString does (RFC 8265 section 4.2): one
//! keyboard sends `é` as one code point and another as two, and their owner sees no difference. NFKC, which NIST also
//! names, would make `²` and `2` one character for nothing in return. Login goes through the same type, so it
//! recomputes the same. Records made elsewhere, as by the Go version, hashed the bytes that were sent:
//! [`Password::as_sent`] keeps those for the rare password in which they differ.

use std::borrow::Cow;

use thiserror::Error;
use unicode_normalization::{UnicodeNormalization, is_nfc};
use zeroize::{Zeroize, Zeroizing};

use super::common_passwords;

/// What a policy may allow at most, in code points: bounds the memory and the hashing that one request can ask for.
pub const PASSWORD_CHARS_MAX: usize = 1024;

/// Bounds what is sent, in bytes: four for a code point, and up to three code points that NFC makes one.
const SENT_BYTES_PER_CHAR: usize = 12;

/// NFC makes no UTF-8 text more than three times as long (UAX 15 section 9).
const NFC_GROWTH: usize = 3;

/// Bounds of the length of new passwords, in code points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    min_chars: usize,
    max_chars: usize,
}

/// Bounds that no policy may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PasswordPolicyError {
    /// The least length is zero.
    #[error("the least length of a password is 1 at least")]
    MinIsZero,
    /// The least length is above the greatest.
    #[error("the least length of a password is above the greatest")]
    MinAboveMax,
    /// The greatest length is below the 64 that NIST SP 800-63B section 5.1.1.2 wants taken.
    #[error("the greatest length of a password is 64 at least")]
    MaxTooSmall,
    /// The greatest length is above [`PASSWORD_CHARS_MAX`].
    #[error("the greatest length of a password is {PASSWORD_CHARS_MAX} at most")]
    MaxTooLarge,
}

impl PasswordPolicy {
    /// Checks the bounds against each other and against what a password can be.
    ///
    /// # Errors
    /// When no sensible set of passwords meets them.
    pub const fn new(min_chars: usize, max_chars: usize) -> Result<Self, PasswordPolicyError> {
        if min_chars == 0 {
            Err(PasswordPolicyError::MinIsZero)
        } else if max_chars < 64 {
            Err(PasswordPolicyError::MaxTooSmall)
        } else if max_chars > PASSWORD_CHARS_MAX {
            Err(PasswordPolicyError::MaxTooLarge)
        } else if min_chars > max_chars {
            Err(PasswordPolicyError::MinAboveMax)
        } else {
            Ok(Self { min_chars, max_chars })
        }
    }

    /// Least number of code points.
    #[must_use]
    pub const fn min_chars(self) -> usize {
        self.min_chars
    }

    /// Greatest number of code points.
    #[must_use]
    pub const fn max_chars(self) -> usize {
        self.max_chars
    }
}

impl Default for PasswordPolicy {
    /// 8 to 256 code points.
    fn default() -> Self {
        Self { min_chars: 8, max_chars: 256 }
    }
}

/// A password. Has neither `Debug` nor `Display` nor equality; its memory is wiped on drop.
pub struct Password {
    normalised: Zeroizing<String>,
    sent: Option<Zeroizing<String>>,
}

/// Why a string is no acceptable [`Password`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PasswordError {
    /// Fewer code points than the policy asks for.
    #[error("has fewer than {min_chars} characters")]
    TooShort {
        /// The policy's least length.
        min_chars: usize,
    },
    /// More code points than the policy allows.
    #[error("has more than {max_chars} characters")]
    TooLong {
        /// The policy's greatest length.
        max_chars: usize,
    },
    /// U+0000 is in it: hashes of other systems end there.
    #[error("contains a NUL character")]
    Nul,
    /// It is one of the passwords that are guessed first.
    #[error("is too common")]
    Common,
}

impl Password {
    /// Takes a new password, for registration and change. An owned string is taken over, not copied, and wiped also
    /// when it is refused; a borrowed one stays in the caller's buffer, which the caller wipes.
    ///
    /// # Errors
    /// The first rule of `policy` that `sent` breaks; none of its text is repeated.
    pub fn parse(sent: Cow<'_, str>, policy: &PasswordPolicy) -> Result<Self, PasswordError> {
        let &PasswordPolicy { min_chars, max_chars } = policy;
        let password = Self::bounded(sent, max_chars)?;
        let text = password.normalised.as_str();
        let chars = text.chars().count();
        if chars < min_chars {
            Err(PasswordError::TooShort { min_chars })
        } else if chars > max_chars {
            Err(PasswordError::TooLong { max_chars })
        } else if text.contains('\0') {
            Err(PasswordError::Nul)
        } else if common_passwords::contains(text) {
            Err(PasswordError::Common)
        } else {
            Ok(password)
        }
    }

    /// Takes a password that is only to be compared with a stored one. No policy applies: an account may be older than
    /// the policy, and what was never acceptable simply matches nothing.
    ///
    /// # Errors
    /// [`PasswordError::TooLong`] when no policy could ever have allowed it.
    pub fn attempt(sent: Cow<'_, str>) -> Result<Self, PasswordError> {
        Self::bounded(sent, PASSWORD_CHARS_MAX)
    }

    fn bounded(sent: Cow<'_, str>, max_chars: usize) -> Result<Self, PasswordError> {
        if sent.len() > SENT_BYTES_PER_CHAR * max_chars {
            if let Cow::Owned(mut refused) = sent {
                refused.zeroize();
            }
            return Err(PasswordError::TooLong { max_chars });
        }
        let sent = Zeroizing::new(sent.into_owned());
        if sent.is_ascii() || is_nfc(&sent) {
            return Ok(Self { normalised: sent, sent: None });
        }
        // Room for all of it at once: a string that grows leaves its old memory behind unwiped.
        let mut normalised = Zeroizing::new(String::with_capacity(NFC_GROWTH * sent.len()));
        normalised.extend(sent.nfc());
        Ok(Self { normalised, sent: Some(sent) })
    }

    /// The bytes that Jeday's own records are made of: UTF-8 in NFC.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.normalised.as_bytes()
    }

    /// The bytes as they came, where those differ: what a record made by another program may have been made of.
    #[must_use]
    pub fn as_sent(&self) -> Option<&[u8]> {
        self.sent.as_ref().map(|sent| sent.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(sent: &str) -> Option<PasswordError> {
        Password::parse(Cow::Borrowed(sent), &PasswordPolicy::default()).err()
    }

    fn kept(sent: &str) -> Vec<u8> {
        let password = Password::attempt(Cow::Borrowed(sent)).unwrap();
        password.as_bytes().to_vec()
    }

    const TOO_SHORT: Option<PasswordError> = Some(PasswordError::TooShort { min_chars: 8 });
    const TOO_LONG: Option<PasswordError> = Some(PasswordError::TooLong { max_chars: 256 });

    #[test]
    fn length_counts_code_points() {
        assert_eq!(refusal("k7#mQ2x"), TOO_SHORT);
        assert_eq!(refusal("k7#mQ2xz"), None);
        assert_eq!(refusal("пароль"), TOO_SHORT);
        assert_eq!(refusal("😀😀😀😀😀😀😀😀"), None);
        assert_eq!(refusal(&"x".repeat(256)), None);
        assert_eq!(refusal(&"😀".repeat(256)), None);
        assert_eq!(refusal(&"x".repeat(257)), TOO_LONG);
        assert_eq!(refusal(&"x".repeat(1 << 20)), TOO_LONG);
        // Seven visible letters, eight code points as sent.
        assert_eq!(refusal("k7#mQ2e\u{301}"), TOO_SHORT);
    }

    #[test]
    fn any_unicode_is_taken_but_nul() {
        assert_eq!(refusal("        "), None);
        assert_eq!(refusal("tab\tand\nnewline"), None);
        assert_eq!(refusal("\u{202e}\u{200b}\u{e000}🔑🔑🔑🔑🔑"), None);
        assert_eq!(refusal("k7#mQ2xz\0"), Some(PasswordError::Nul));
    }

    #[test]
    fn common_passwords_are_refused_in_any_letter_case() {
        assert_eq!(refusal("password1"), Some(PasswordError::Common));
        assert_eq!(refusal("PassWord1"), Some(PasswordError::Common));
        assert_eq!(refusal("password1 "), None);
    }

    #[test]
    fn nothing_is_cut_or_trimmed() {
        for sent in [" padded with blanks ", "trailing\n", &"long ".repeat(50)] {
            assert_eq!(kept(sent), sent.as_bytes());
        }
    }

    #[test]
    fn both_spellings_of_an_accent_are_one_password() {
        assert_eq!(kept("cafe\u{301} au lait"), kept("café au lait"));
        let password = Password::attempt("cafe\u{301} au lait".into()).unwrap();
        assert_eq!(password.as_sent(), Some("cafe\u{301} au lait".as_bytes()));
    }

    #[test]
    fn an_attempt_is_held_to_no_policy() {
        assert_eq!(kept("short"), b"short");
        assert_eq!(kept("password1"), b"password1");
        assert!(Password::attempt("x".repeat(20_000).into()).is_err());
    }

    #[test]
    fn policies_that_make_no_sense_are_refused() {
        assert_eq!(PasswordPolicy::new(8, 256), Ok(PasswordPolicy::default()));
        assert_eq!(PasswordPolicy::new(0, 256), Err(PasswordPolicyError::MinIsZero));
        assert_eq!(PasswordPolicy::new(100, 64), Err(PasswordPolicyError::MinAboveMax));
        assert_eq!(PasswordPolicy::new(8, 63), Err(PasswordPolicyError::MaxTooSmall));
        assert_eq!(PasswordPolicy::new(8, 1025), Err(PasswordPolicyError::MaxTooLarge));
    }

    proptest! {
        #[test]
        fn normalising_never_outgrows_its_room_and_is_stable(
            sent in "\\PC{0,40}|[a-z\u{300}-\u{36f}\u{1100}-\u{11ff}]{0,40}|[\u{958}-\u{95f}\u{fb1d}-\u{fb4e}]{0,40}",
        ) {
            let password = Password::attempt(sent.as_str().into()).unwrap();
            if password.as_sent().is_some() {
                prop_assert!(password.normalised.capacity() <= NFC_GROWTH * sent.len());
            }
            let again = kept(std::str::from_utf8(password.as_bytes()).unwrap());
            prop_assert_eq!(password.as_bytes(), again);
        }

        #[test]
        fn text_in_nfc_stays_as_sent(sent in "[ -~\u{e0}-\u{ff}]{0,40}") {
            prop_assert_eq!(kept(&sent), sent.as_bytes());
        }
    }
}
