//! Durations as people who come from the Go version write them: `500ms`, `10s`, `1m30s`; days (`30d`) besides. Never
//! a number without a unit, except 0.

use std::time::Duration;

/// Why a text is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing was given.
    #[error("it is empty")]
    Empty,
    /// A number stands without its unit.
    #[error("a unit is missing (ns, us, ms, s, m, h or d)")]
    UnitMissing,
    /// The letters after a number are no unit.
    #[error("the units are ns, us, ms, s, m, h and d")]
    UnitUnknown,
    /// A number was expected.
    #[error("it is not a number followed by a unit")]
    NumberMissing,
    /// Below zero.
    #[error("a duration cannot be negative")]
    Negative,
    /// More than 2^64 - 1 nanoseconds, about 584 years.
    #[error("it is too long")]
    TooLong,
}

/// Parses one or more `number unit` pairs, as Go's `time.ParseDuration` does, and days of 24 hours; a plain `0` needs
/// no unit.
///
/// # Errors
/// [`DurationError`] says what is wrong with the text.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    if rest.starts_with('-') {
        return Err(DurationError::Negative);
    }
    rest = rest.strip_prefix('+').unwrap_or(rest);
    if rest.is_empty() {
        return Err(DurationError::Empty);
    }
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total_nanos: u128 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_end);
        if number.is_empty() {
            return Err(DurationError::NumberMissing);
        }
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        total_nanos = total_nanos.checked_add(scaled(number, unit_nanos(unit)?)?).ok_or(DurationError::TooLong)?;
        rest = next;
    }
    u64::try_from(total_nanos).map(Duration::from_nanos).map_err(|_| DurationError::TooLong)
}

fn unit_nanos(unit: &str) -> Result<u128, DurationError> {
    Ok(match unit {
        "" => return Err(DurationError::UnitMissing),
        "ns" => 1,
        // The micro sign and the Greek letter look the same and are both in use.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return Err(DurationError::UnitUnknown),
    })
}

/// `number` (digits with at most one point) times `unit`, in whole nanoseconds, the rest cut off.
fn scaled(number: &str, unit: u128) -> Result<u128, DurationError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
        return Err(DurationError::NumberMissing);
    }
    let digits = |text: &str| -> Result<u128, DurationError> {
        if text.is_empty() {
            return Ok(0);
        }
        text.parse().map_err(|_| DurationError::TooLong)
    };
    // A day has 8.64e13 nanoseconds: digits past the fourteenth cannot count.
    let fraction = &fraction[..fraction.len().min(14)];
    let scale = 10_u128.pow(fraction.len() as u32);
    digits(whole)?
        .checked_mul(unit)
        .and_then(|nanos| nanos.checked_add(digits(fraction).ok()? * unit / scale))
        .ok_or(DurationError::TooLong)
}

/// The shortest text that [`parse`] reads back as the same duration.
pub fn show(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0".to_owned();
    }
    for (unit, size) in [("ns", 1_000), ("us", 1_000_000), ("ms", 1_000_000_000)] {
        if !nanos.is_multiple_of(size) {
            return format!("{}{unit}", nanos / (size / 1_000));
        }
    }
    let seconds = duration.as_secs();
    let mut text = String::new();
    for (unit, count) in
        [("d", seconds / 86_400), ("h", seconds / 3_600 % 24), ("m", seconds / 60 % 60), ("s", seconds % 60)]
    {
        if count != 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn go_spellings_are_understood() {
        let millis = |text| parse(text).map(|duration| duration.as_millis());
        assert_eq!(millis("500ms"), Ok(500));
        assert_eq!(millis("10s"), Ok(10_000));
        assert_eq!(millis("1m30s"), Ok(90_000));
        assert_eq!(millis("15m"), Ok(900_000));
        assert_eq!(millis("24h"), Ok(86_400_000));
        assert_eq!(millis("30d"), Ok(2_592_000_000));
        assert_eq!(millis("1.5h"), Ok(5_400_000));
        assert_eq!(millis(".5s"), Ok(500));
        assert_eq!(millis("+2s"), Ok(2_000));
        assert_eq!(millis("0"), Ok(0));
        assert_eq!(parse("7\u{b5}s"), Ok(Duration::from_micros(7)));
        assert_eq!(parse("7\u{3bc}s"), Ok(Duration::from_micros(7)));
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(parse(""), Err(DurationError::Empty));
        assert_eq!(parse("10"), Err(DurationError::UnitMissing));
        assert_eq!(parse("1m30"), Err(DurationError::UnitMissing));
        assert_eq!(parse("10 parsecs"), Err(DurationError::UnitUnknown));
        assert_eq!(parse("2w"), Err(DurationError::UnitUnknown));
        assert_eq!(parse("soon"), Err(DurationError::NumberMissing));
        assert_eq!(parse("."), Err(DurationError::UnitMissing));
        assert_eq!(parse(".s"), Err(DurationError::NumberMissing));
        assert_eq!(parse("1.2.3s"), Err(DurationError::NumberMissing));
        assert_eq!(parse("-1s"), Err(DurationError::Negative));
        assert_eq!(parse("99999999999h"), Err(DurationError::TooLong));
        assert_eq!(parse("999999999999999999999999999999999999999999s"), Err(DurationError::TooLong));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(nanos in any::<u64>(), zeros in 0_u32..12) {
            let scale = 10_u64.pow(zeros);
            let duration = Duration::from_nanos(nanos / scale * scale);
            prop_assert_eq!(parse(&show(duration)), Ok(duration));
        }

        #[test]
        fn any_text_is_answered(text in "[0-9.smhdun+ -]{0,40}") {
            let _ = parse(&text);
        }
    }
}
