//! The kernel's list format for CPUs, `0-3,8`: reading and writing. Never touches a file.

/// Parses a list such as `0-3,8,10-11`; `None` if it is not one. An empty text is an empty list.
pub(super) fn parse(text: &str) -> Option<Vec<usize>> {
    let text = text.trim();
    let mut cpus = Vec::new();
    if text.is_empty() {
        return Some(cpus);
    }
    for range in text.split(',') {
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (first.parse().ok()?, last.parse().ok()?),
            None => {
                let cpu: usize = range.parse().ok()?;
                (cpu, cpu)
            }
        };
        // The kernel's own ceiling (CONFIG_NR_CPUS) is 8192; the check keeps a corrupt file from filling memory.
        if first > last || last >= 1 << 16 {
            return None;
        }
        cpus.extend(first..=last);
    }
    cpus.sort_unstable();
    cpus.dedup();
    Some(cpus)
}

/// Writes ascending CPU numbers in the same format.
pub(super) fn format(cpus: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &cpu in cpus {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => ranges.push((cpu, cpu)),
        }
    }
    let texts: Vec<String> = ranges
        .iter()
        .map(|&(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        assert_eq!(parse("0-3,8,10-11\n"), Some(vec![0, 1, 2, 3, 8, 10, 11]));
        assert_eq!(parse("5"), Some(vec![5]));
        assert_eq!(parse("\n"), Some(vec![]));
    }

    #[test]
    fn refuses_what_is_not_a_list() {
        for text in ["a", "3-1", "1-", "-1", "1,,2", "0-99999999999"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for text in ["", "0", "0-3,8,10-11"] {
            assert_eq!(format(&parse(text).unwrap()), text);
        }
    }
}
