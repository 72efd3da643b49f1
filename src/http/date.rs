//! The `Date` of replies (RFC 9110 sections 5.6.7 and 6.6.1), formatted once a second and not once a reply.
//! Reads no clock.

use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use httpdate::HttpDate;

/// Bytes of an IMF-fixdate.
pub const DATE_BYTES: usize = 29;

/// The last second of the year 9999, where the format ends.
const UNIX_SECONDS_MAX: u64 = 253_402_300_799;

/// The text of the last second it was asked for. One a shard: nothing is shared.
#[derive(Debug)]
pub struct DateCache {
    unix_seconds: u64,
    text: [u8; DATE_BYTES],
}

impl DateCache {
    /// A cache that holds the given second.
    pub fn new(unix_seconds: u64) -> Self {
        Self { unix_seconds, text: format(unix_seconds) }
    }

    /// The date `unix_seconds` after the epoch.
    #[inline]
    pub fn get(&mut self, unix_seconds: u64) -> &[u8; DATE_BYTES] {
        if self.unix_seconds != unix_seconds {
            *self = Self::new(unix_seconds);
        }
        &self.text
    }
}

fn format(unix_seconds: u64) -> [u8; DATE_BYTES] {
    let time = UNIX_EPOCH + Duration::from_secs(unix_seconds.min(UNIX_SECONDS_MAX));
    let mut text = [0; DATE_BYTES];
    write!(&mut text[..], "{}", HttpDate::from(time)).expect("an IMF-fixdate has 29 bytes");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_follows_the_clock_in_both_directions() {
        let mut cache = DateCache::new(0);
        for (second, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (784_111_776, "Sun, 06 Nov 1994 08:49:36 GMT"),
            (UNIX_SECONDS_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(cache.get(second), text.as_bytes());
        }
    }
}
