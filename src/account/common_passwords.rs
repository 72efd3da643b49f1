//! The passwords that people choose most: what attackers try first (NIST SP 800-63B section 5.1.1.2).
//! Never reads a file at run time and never allocates: the embedded text is its own index.

use std::cmp::Ordering;

/// One lower-case ASCII password a line, sorted by length and then by byte. Source and licence: `data/README.md`.
static SORTED_LINES: &[u8] = include_bytes!("../../data/common-passwords.txt");

/// The list holds none shorter; at least the eight bytes that are compared at once.
const SHORTEST_BYTES: usize = 8;
const LONGEST_BYTES: usize = 21;

/// Where the lines of each length start; those of the next length start where they end.
static STARTS: [usize; LONGEST_BYTES + 2] = starts_by_length(SORTED_LINES);

const fn starts_by_length(lines: &[u8]) -> [usize; LONGEST_BYTES + 2] {
    let mut starts = [lines.len(); LONGEST_BYTES + 2];
    let (mut length, mut line) = (0, 0);
    while line < lines.len() {
        let mut end = line;
        while lines[end] != b'\n' {
            end += 1;
        }
        assert!(end - line >= SHORTEST_BYTES && end - line <= LONGEST_BYTES, "a line is too short or too long");
        assert!(end - line + 1 >= length, "the lines are not sorted by length");
        while length <= end - line {
            starts[length] = line;
            length += 1;
        }
        line = end + 1;
    }
    starts
}

/// Whether a password is a common one, in whatever case its letters are.
#[must_use]
pub fn contains(password: &str) -> bool {
    let sought = password.as_bytes();
    let Some((first, rest)) = sought.split_first_chunk().filter(|_| sought.len() <= LONGEST_BYTES) else {
        return false;
    };
    // Lines of one length have equal strides, so the middle one is found without looking for its ends.
    let lines = &SORTED_LINES[STARTS[sought.len()]..STARTS[sought.len() + 1]];
    let stride = sought.len() + 1;
    let first = order_of(&first.map(|byte| byte.to_ascii_lowercase()));
    let (mut from, mut to) = (0, lines.len() / stride);
    while from < to {
        let middle = from + (to - from) / 2;
        let line = &lines[middle * stride..][..sought.len()];
        let Some((line_first, line_rest)) = line.split_first_chunk() else { return false };
        let order = order_of(line_first)
            .cmp(&first)
            .then_with(|| line_rest.iter().copied().cmp(rest.iter().map(u8::to_ascii_lowercase)));
        match order {
            Ordering::Equal => return true,
            Ordering::Less => from = middle + 1,
            Ordering::Greater => to = middle,
        }
    }
    false
}

/// A number that sorts as the bytes do.
const fn order_of(bytes: &[u8; SHORTEST_BYTES]) -> u64 {
    u64::from_be_bytes(*bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn lines() -> Vec<&'static str> {
        std::str::from_utf8(SORTED_LINES).unwrap().lines().collect()
    }

    #[test]
    fn the_list_has_the_shape_that_the_search_relies_on() {
        let lines = lines();
        assert!(lines.len() > 5_000);
        assert!(lines.is_sorted_by_key(|line| (line.len(), *line)));
        assert_eq!(lines.iter().collect::<HashSet<_>>().len(), lines.len());
        assert!(lines.iter().all(|line| line.bytes().all(|b| (b' '..=b'~').contains(&b) && !b.is_ascii_uppercase())));
        assert_eq!(lines.iter().map(|line| line.len()).min(), Some(SHORTEST_BYTES));
        assert_eq!(lines.iter().map(|line| line.len()).max(), Some(LONGEST_BYTES));
        assert_eq!(SORTED_LINES.last(), Some(&b'\n'));
    }

    #[test]
    fn every_entry_is_found_in_any_letter_case() {
        for line in lines() {
            assert!(contains(line), "{line}");
            assert!(contains(&line.to_uppercase()), "{line}");
        }
        assert!(contains("Password123"));
    }

    #[test]
    fn neighbours_of_entries_are_not_found() {
        let known: HashSet<_> = lines().into_iter().collect();
        for line in lines() {
            for near in [format!("{line}~"), format!("~{line}"), line[1..].into(), line[..line.len() - 1].into()] {
                assert_eq!(contains(&near), known.contains(near.as_str()), "{near}");
            }
        }
        assert!(!contains("password\n"));
        assert!(!contains("12345678\n123456789"));
        assert!(!contains("pässword"));
        assert!(!contains(""));
    }

    proptest! {
        #[test]
        fn the_search_agrees_with_a_scan(sought in "[a-z0-9\\n]{0,24}|\\PC{0,12}") {
            prop_assert_eq!(contains(&sought), lines().contains(&sought.to_ascii_lowercase().as_str()));
        }
    }
}
