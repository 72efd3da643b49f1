//! Random bytes for a request shard: salts and the random part of ids, without a system call for each.
//! Never for keys: those come straight from the system. A machine that is cloned while it runs would hand out the
//! rest of the buffer twice, which costs a repeated salt here and would cost everything there.

use thiserror::Error;
use zeroize::Zeroize;

/// One refill. Serves 170 registrations at 24 bytes, so that the system call vanishes among them, and fits a page.
const BUFFER_BYTES: usize = 4096;

/// A stock of bytes from the operating system's generator. One for each shard; nothing is shared.
///
/// Invariant: `taken <= BUFFER_BYTES`, and all before `taken` is zero.
pub struct Random {
    buffer: Box<[u8; BUFFER_BYTES]>,
    taken: usize,
}

/// The operating system gave no random bytes.
#[derive(Clone, Copy, Debug, Error)]
#[error("the system's random source failed: {0}")]
pub struct RandomError(#[from] getrandom::Error);

impl Random {
    /// Fills the stock, so that a system without randomness is found at the start.
    ///
    /// # Errors
    /// When the system has no random bytes to give.
    pub fn new() -> Result<Self, RandomError> {
        let mut random = Self { buffer: Box::new([0; BUFFER_BYTES]), taken: BUFFER_BYTES };
        random.refill()?;
        Ok(random)
    }

    /// Hands out `N` bytes and forgets them.
    ///
    /// # Errors
    /// When the stock is used up and the system has no more to give.
    pub fn bytes<const N: usize>(&mut self) -> Result<[u8; N], RandomError> {
        const { assert!(N <= BUFFER_BYTES, "more than one refill holds") };
        if BUFFER_BYTES - self.taken < N {
            self.refill()?;
        }
        let stock = &mut self.buffer[self.taken..self.taken + N];
        let mut out = [0; N];
        out.copy_from_slice(stock);
        stock.zeroize();
        self.taken += N;
        Ok(out)
    }

    fn refill(&mut self) -> Result<(), RandomError> {
        // Until all of it is there, nothing may be handed out.
        self.taken = BUFFER_BYTES;
        getrandom::fill(self.buffer.as_mut_slice())?;
        self.taken = 0;
        Ok(())
    }
}

impl Drop for Random {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn random() -> Random {
        Random::new().unwrap()
    }

    #[test]
    fn nothing_is_handed_out_twice_across_refills() {
        let mut random = random();
        let seen: HashSet<[u8; 24]> = (0..1000).map(|_| random.bytes().unwrap()).collect();
        assert_eq!(seen.len(), 1000);
        assert!(!seen.contains(&[0; 24]));
    }

    #[test]
    fn what_was_handed_out_is_wiped() {
        let mut random = random();
        random.bytes::<100>().unwrap();
        assert_eq!(random.buffer[..100], [0; 100]);
        assert_ne!(random.buffer[100..200], [0; 100]);
    }

    #[test]
    fn a_request_that_does_not_fit_the_rest_is_served_whole() {
        let mut random = random();
        random.bytes::<4090>().unwrap();
        assert_ne!(random.bytes::<16>().unwrap()[8..], [0; 8]);
        assert_ne!(random.bytes::<{ BUFFER_BYTES - 16 }>().unwrap()[..], [0; BUFFER_BYTES - 16]);
    }
}
