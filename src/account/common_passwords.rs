//! The passwords that people choose most: what attackers try first (NIST SP 800-63B section 5.1.1.2).
//! Never reads a file at run time and never allocates: the embedded text is its own index.

use std::cmp::Ordering;

use memchr::{memchr, memrchr};

/// One lower-case ASCII password a line, sorted by byte. Source and licence: `data/README.md`.
static SORTED_LINES: &[u8] = include_bytes!("../../data/common-passwords.txt");

const SHORTEST_BYTES: usize = 8;
const LONGEST_BYTES: usize = 21;

/// Whether a password is a common one, in whatever case its letters are.
#[must_use]
pub fn contains(password: &str) -> bool {
    let sought = password.as_bytes();
    if !(SHORTEST_BYTES..=LONGEST_BYTES).contains(&sought.len()) {
        return false;
    }
    // Both ends always stand at the start of a line, or past the last one.
    let (mut from, mut to) = (0, SORTED_LINES.len());
    while from < to {
        let middle = from + (to - from) / 2;
        let start = memrchr(b'\n', &SORTED_LINES[from..middle]).map_or(from, |newline| from + newline + 1);
        let end = memchr(b'\n', &SORTED_LINES[middle..to]).map_or(to, |newline| middle + newline);
        let line = &SORTED_LINES[start..end];
        match line.iter().copied().cmp(sought.iter().map(u8::to_ascii_lowercase)) {
            Ordering::Equal => return true,
            Ordering::Less => from = end + 1,
            Ordering::Greater => to = start,
        }
    }
    false
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
        assert!(lines.is_sorted_by(|one, next| one < next));
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
