//! Sizes in bytes: `64KiB`, `1MiB`, or a plain number. Never decimal units, whose meaning people disagree about.

/// Why a text is no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// No digits at the start.
    #[error("it is not a whole number of bytes, KiB, MiB or GiB")]
    NumberMissing,
    /// Another unit than the binary ones.
    #[error("the units are B, KiB (1024 bytes), MiB and GiB")]
    UnitUnknown,
    /// More than the machine can address.
    #[error("it is too large")]
    TooLarge,
}

const UNITS: [(&str, usize); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Parses a whole number with an optional unit (`B`, `KiB`, `MiB`, `GiB`, in any letter case) into bytes.
///
/// # Errors
/// [`SizeError`] says what is wrong with the text.
pub fn parse(text: &str) -> Result<usize, SizeError> {
    let text = text.trim();
    let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    if digits.is_empty() {
        return Err(SizeError::NumberMissing);
    }
    let unit = unit.trim_start();
    let scale = if unit.is_empty() || unit.eq_ignore_ascii_case("B") {
        1
    } else {
        UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .map(|(_, scale)| *scale)
            .ok_or(SizeError::UnitUnknown)?
    };
    digits.parse::<usize>().ok().and_then(|number| number.checked_mul(scale)).ok_or(SizeError::TooLarge)
}

/// The size in the largest unit that leaves no remainder; a plain number of bytes otherwise.
pub fn show(bytes: usize) -> String {
    for (name, scale) in UNITS {
        if bytes != 0 && bytes.is_multiple_of(scale) {
            return format!("{}{name}", bytes / scale);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn binary_units_and_plain_numbers_are_understood() {
        assert_eq!(parse("64KiB"), Ok(65_536));
        assert_eq!(parse("1MiB"), Ok(1_048_576));
        assert_eq!(parse("2 gib"), Ok(2_147_483_648));
        assert_eq!(parse("16384"), Ok(16_384));
        assert_eq!(parse("10B"), Ok(10));
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(parse(""), Err(SizeError::NumberMissing));
        assert_eq!(parse("-1"), Err(SizeError::NumberMissing));
        assert_eq!(parse("64KB"), Err(SizeError::UnitUnknown));
        assert_eq!(parse("1.5MiB"), Err(SizeError::UnitUnknown));
        assert_eq!(parse("99999999999999999999"), Err(SizeError::TooLarge));
        assert_eq!(parse("99999999999999GiB"), Err(SizeError::TooLarge));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(number in any::<u32>(), shift in 0_u32..30) {
            let bytes = (number as usize) << shift;
            prop_assert_eq!(parse(&show(bytes)), Ok(bytes));
        }
    }
}
