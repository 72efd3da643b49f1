//! The name a user is shown under. Display data: it need not be unique, and nothing is looked up by it.
//! Never changes what was sent: a name that cannot be kept as it is, is refused.

use thiserror::Error;

/// Longest name, in code points. Fifty hold every name the Go version let in.
pub const USERNAME_CHARS_MAX: usize = 50;

/// A name of 1 to 50 code points that shows something and cannot rearrange the text around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username(Box<str>);

/// Why a string is not a [`Username`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UsernameError {
    /// Nothing in it can be seen.
    #[error("is empty")]
    Empty,
    /// More than 50 code points.
    #[error("has more than {USERNAME_CHARS_MAX} characters")]
    TooLong,
    /// White space at the start or the end. Refused, not trimmed, so that the answer repeats what was sent.
    #[error("starts or ends with white space")]
    Padded,
    /// A control character, a line or paragraph separator, or a control of writing direction.
    #[error("contains a control character")]
    Control,
}

impl Username {
    /// Takes a name as it is.
    ///
    /// # Errors
    /// The first rule that `sent` breaks.
    pub fn parse(sent: &str) -> Result<Self, UsernameError> {
        // A code point has at most four octets: longer strings need no counting.
        if sent.len() > 4 * USERNAME_CHARS_MAX {
            return Err(UsernameError::TooLong);
        }
        let plain = sent.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if !plain && sent.chars().any(is_control) {
            return Err(UsernameError::Control);
        }
        if sent.chars().all(is_blank) {
            return Err(UsernameError::Empty);
        }
        if sent.chars().count() > USERNAME_CHARS_MAX {
            return Err(UsernameError::TooLong);
        }
        if sent.starts_with(char::is_whitespace) || sent.ends_with(char::is_whitespace) {
            return Err(UsernameError::Padded);
        }
        Ok(Self(sent.into()))
    }

    /// The name as it was sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// General category Cc, and the format characters that act beyond the name itself: explicit directions (UAX 9 section
/// 2) could make the rest of a line read backwards. The joiners U+200C and U+200D stay: Persian, Hindi and emoji need
/// them.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // direction
            | '\u{2028}' | '\u{2029}' // line and paragraph separator
            | '\u{206a}'..='\u{206f}' // deprecated format controls
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}') // byte order mark, annotations
}

/// White space, and what renders as nothing by itself (Default_Ignorable_Code_Point, and the blank Braille pattern).
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(sent: &str) -> Result<String, UsernameError> {
        Username::parse(sent).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn names_of_the_world_are_kept_as_sent() {
        for sent in ["a", "Mary Ann", "O'Brien", "Jürgen", "李小龙", "علی‌رضا", "क्षितिज", "👩‍👩‍👧", "e\u{301}ric"]
        {
            assert_eq!(parsed(sent).as_deref(), Ok(sent));
        }
    }

    #[test]
    fn length_counts_code_points() {
        assert!(parsed(&"a".repeat(50)).is_ok());
        assert!(parsed(&"😀".repeat(50)).is_ok());
        assert_eq!(parsed(&"a".repeat(51)), Err(UsernameError::TooLong));
        assert_eq!(parsed(&"😀".repeat(51)), Err(UsernameError::TooLong));
        assert_eq!(parsed(&"é".repeat(51)), Err(UsernameError::TooLong));
        assert_eq!(parsed(""), Err(UsernameError::Empty));
    }

    #[test]
    fn a_name_that_shows_nothing_is_empty() {
        for sent in [" ", "\u{3000}", "\u{200b}", "\u{ad}\u{2060}", "\u{3164}", "\u{2800}\u{2800}", "\u{e0041}"] {
            assert_eq!(parsed(sent), Err(UsernameError::Empty), "{sent:?}");
        }
    }

    #[test]
    fn padding_is_refused_rather_than_trimmed() {
        for sent in [" bob", "bob ", "\u{a0}bob", "bob\u{3000}"] {
            assert_eq!(parsed(sent), Err(UsernameError::Padded), "{sent:?}");
        }
    }

    #[test]
    fn controls_are_refused() {
        for sent in
            ["a\0b", "a\nb", "a\tb", "a\u{7f}b", "a\u{85}b", "a\u{202e}b", "a\u{2066}b", "a\u{2028}b", "\u{feff}a"]
        {
            assert_eq!(parsed(sent), Err(UsernameError::Control), "{sent:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_what_was_sent(sent in "\\PC{0,60}|[ a-z\\x00-\\x20\u{7f}-\u{a0}]{0,60}") {
            if let Ok(name) = parsed(&sent) {
                prop_assert_eq!(&name, &sent);
                prop_assert!((1..=USERNAME_CHARS_MAX).contains(&name.chars().count()));
                prop_assert!(!name.chars().any(char::is_control));
            }
        }
    }
}
