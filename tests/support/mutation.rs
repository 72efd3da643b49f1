//! Input that is nearly valid: what is known to be valid, changed a little. All of a mutant comes from one seed, which
//! a failure prints.

/// Changes to one mutant, at the most.
const CHANGES_MAX: u64 = 4;

/// A stream of numbers (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    /// The seed's stream. Seeds that follow one another have nothing in common.
    pub(crate) fn new(seed: u64) -> Random {
        let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1);
        for _ in 0..8 {
            random.next();
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 11) as usize % bound
    }

    /// One of them.
    pub(crate) fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }
}

/// One of `stock`, changed; `pieces` are what its parser may trip over.
pub(crate) fn mutant(stock: &[Vec<u8>], pieces: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut bytes = random.pick(stock).clone();
    for _ in 0..=random.next() % CHANGES_MAX {
        change(&mut bytes, stock, pieces, random);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, stock: &[Vec<u8>], pieces: &[&[u8]], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let behind = at + random.below(9).min(bytes.len() - at);
    match random.below(9) {
        0 => drop(bytes.splice(at..at, random.pick(pieces).iter().copied())),
        1 => drop(bytes.splice(at..behind, random.pick(pieces).iter().copied())),
        2 => drop(bytes.drain(at..behind)),
        3 => bytes.extend_from_within(at..behind),
        4 => bytes.truncate(at),
        5 => bytes.extend_from_slice(random.pick::<Vec<u8>>(stock)),
        6 => {
            let other = random.pick(stock);
            let from = random.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        what => {
            let number = random.next() as u8;
            if let Some(byte) = bytes.get_mut(at) {
                *byte = if what == 7 { *byte ^ (1 << (number % 8)) } else { number };
            }
        }
    }
}

/// How many rounds a test makes: as many as `JEDAY_TEST_ROUNDS` says, or its own number.
pub(crate) fn rounds(default: u64) -> u64 {
    std::env::var("JEDAY_TEST_ROUNDS").map_or(default, |text| text.parse().expect("rounds are a number"))
}

/// Where the mutants of a test begin; `JEDAY_MUTANT_SEED` replays.
pub(crate) fn first_seed() -> u64 {
    let given = std::env::var("JEDAY_MUTANT_SEED").ok().map(|text| text.parse().expect("a seed is a number"));
    given.unwrap_or_else(|| u64::from(getrandom::u32().unwrap()))
}

/// Prints the seed when the test panics while it is there.
pub(crate) struct Replay(pub(crate) u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay with JEDAY_MUTANT_SEED={} JEDAY_TEST_ROUNDS=1", self.0);
        }
    }
}
