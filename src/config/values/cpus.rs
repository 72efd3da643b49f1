//! A list of CPUs by number, written as the kernel writes it: `0,2-5`. Never asks which of them exist.

use std::fmt;

/// Linux is built for at most 8192 CPUs (`NR_CPUS`); a higher number is a slip of the finger, and would cost memory.
const CPU_NUMBER_MAX: usize = 8_191;

/// CPU numbers in ascending order, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuList(Vec<usize>);

/// Why a text is no list of CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CpuListError {
    /// An item is neither a number nor a range.
    #[error("it is not a list of numbers and ranges such as 0,2-5")]
    Malformed,
    /// A range runs from high to low.
    #[error("a range must go from the lower number to the higher")]
    Backwards,
    /// Above what Linux can have.
    #[error("CPU numbers end at {CPU_NUMBER_MAX}")]
    NumberTooHigh,
}

impl CpuList {
    /// Parses numbers and ranges separated by commas; repeats are merged.
    ///
    /// # Errors
    /// [`CpuListError`] says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, CpuListError> {
        let number = |text: &str| -> Result<usize, CpuListError> {
            let text = text.trim();
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(CpuListError::Malformed);
            }
            text.parse().ok().filter(|number| *number <= CPU_NUMBER_MAX).ok_or(CpuListError::NumberTooHigh)
        };
        let mut cpus = Vec::new();
        for item in text.split(',') {
            let (first, last) = match item.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(item)?, number(item)?),
            };
            if first > last {
                return Err(CpuListError::Backwards);
            }
            cpus.extend(first..=last);
        }
        cpus.sort_unstable();
        cpus.dedup();
        Ok(Self(cpus))
    }

    /// No CPU: what no text can mean.
    pub(in crate::config) fn none() -> Self {
        Self(Vec::new())
    }

    /// The CPU numbers, ascending.
    pub fn as_slice(&self) -> &[usize] {
        &self.0
    }
}

impl fmt::Display for CpuList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self.0.chunk_by(|left, right| left + 1 == *right);
        for (position, run) in runs.enumerate() {
            if position > 0 {
                f.write_str(",")?;
            }
            match run {
                [first, .., last] => write!(f, "{first}-{last}")?,
                [only] => write!(f, "{only}")?,
                [] => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ranges_are_merged_in_order() {
        let cpus = CpuList::parse("7, 2-5,0,4").unwrap();
        assert_eq!(cpus.as_slice(), [0, 2, 3, 4, 5, 7]);
        assert_eq!(cpus.to_string(), "0,2-5,7");
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(CpuList::parse(""), Err(CpuListError::Malformed));
        assert_eq!(CpuList::parse("0,"), Err(CpuListError::Malformed));
        assert_eq!(CpuList::parse("+1"), Err(CpuListError::Malformed));
        assert_eq!(CpuList::parse("1-2-3"), Err(CpuListError::Malformed));
        assert_eq!(CpuList::parse("5-2"), Err(CpuListError::Backwards));
        assert_eq!(CpuList::parse("0-99999999"), Err(CpuListError::NumberTooHigh));
    }
}
