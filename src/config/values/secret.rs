//! Values that must not be seen: no `Display`, a `Debug` without content, wiped when dropped, compared in constant
//! time.

use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// What stands in the place of a secret wherever values are shown.
pub const MASK: &str = "***";

/// A text of which at least a part is secret.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretText(String);

impl SecretText {
    /// Takes the text into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretText({MASK})")
    }
}

/// Length of a symmetric key in bytes: 256 bits, as PASETO v4.local and the Go version want it.
pub const SYMMETRIC_KEY_BYTES: usize = 32;

/// A symmetric key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SymmetricKey([u8; SYMMETRIC_KEY_BYTES]);

/// The text has another length than a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has {found} bytes and must have exactly {SYMMETRIC_KEY_BYTES}")]
pub struct KeyLengthError {
    /// Length of the text, in bytes.
    pub found: usize,
}

impl SymmetricKey {
    /// Takes the bytes of the text as they stand, as the Go version does.
    ///
    /// # Errors
    /// The text is not 32 bytes long.
    pub fn from_text(text: &str) -> Result<Self, KeyLengthError> {
        let found = text.len();
        let bytes = text.as_bytes().try_into();
        bytes.map(Self).map_err(|_| KeyLengthError { found })
    }

    /// The key itself, for the one place that needs it.
    pub fn expose(&self) -> &[u8; SYMMETRIC_KEY_BYTES] {
        &self.0
    }
}

impl PartialEq for SymmetricKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SymmetricKey({MASK})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_holds_no_secret() {
        let text = SecretText::new("postgres://u:hunter2@db/x");
        assert_eq!(format!("{text:?}"), "SecretText(***)");
        let key = SymmetricKey::from_text("hunter2hunter2hunter2hunter2hunt").unwrap();
        assert_eq!(format!("{key:?}"), "SymmetricKey(***)");
        assert_eq!(&key.expose()[..7], b"hunter2");
    }

    #[test]
    fn keys_of_another_length_are_refused() {
        assert_eq!(SymmetricKey::from_text("short"), Err(KeyLengthError { found: 5 }));
    }
}
