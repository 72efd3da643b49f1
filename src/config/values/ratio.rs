//! Shares between 0 and 1.

/// The text is no such share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no number from 0 to 1")]
pub struct RatioError;

/// A plain decimal number from 0 to 1.
///
/// # Errors
/// On anything else, infinities and their like among it.
pub fn parse(text: &str) -> Result<f64, RatioError> {
    let share: f64 = text.trim().parse().map_err(|_| RatioError)?;
    if (0.0..=1.0).contains(&share) { Ok(share.abs()) } else { Err(RatioError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shares_are_ratios() {
        for (text, share) in [("0", 0.0), ("1", 1.0), (" 0.01 ", 0.01), (".5", 0.5), ("1e-3", 0.001), ("-0", 0.0)] {
            assert_eq!(parse(text), Ok(share), "{text}");
        }
        assert!(parse("-0").unwrap().is_sign_positive());
        for text in ["", "1.1", "-0.1", "50%", "NaN", "inf", "-inf", "0,5", "half"] {
            assert_eq!(parse(text), Err(RatioError), "{text}");
        }
    }
}
