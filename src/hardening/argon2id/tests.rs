//! Both engines against each other, and what they leave in memory.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use proptest::prelude::*;

use super::*;

const FAST: Engine = Engine::Fast { instructions: "any" };
const REFERENCE: Engine = Engine::Reference { reason: Distrust::NoVectorInstructions };

fn params(memory_kib: u32, passes: u32, lanes: u32) -> Params {
    Params::stored(memory_kib, passes, lanes).unwrap()
}

fn hash(memory: &mut HashMemory, params: Params, password: &[u8]) -> [u8; 32] {
    let mut tag = [0; 32];
    memory.hash(params, password, b"sixteen bytes...", &mut tag).unwrap();
    tag
}

proptest! {
    #[test]
    fn both_engines_give_the_same_tags(
        password in proptest::collection::vec(any::<u8>(), 0..200),
        salt in proptest::collection::vec(any::<u8>(), 8..49),
        tag_bytes in 16..65_usize,
        (memory_kib, passes, lanes) in (0..256_u32, 1..4_u32, 1..6_u32),
    ) {
        let params = params(8 * lanes + memory_kib, passes, lanes);
        let tag = |engine| {
            // Less is reserved than some of the hashes take.
            let mut memory = HashMemory::new(engine, Params::stored(128, 1, 1).unwrap()).unwrap();
            let mut tag = vec![0; tag_bytes];
            memory.hash(params, &password, &salt, &mut tag).unwrap();
            tag
        };
        prop_assert_eq!(tag(FAST), tag(REFERENCE));
    }
}

#[test]
fn memory_is_reused_and_does_not_grow() {
    for engine in [FAST, REFERENCE] {
        let mut memory = HashMemory::new(engine, params(4096, 1, 4)).unwrap();
        let held = memory.held_kib();
        assert_eq!(held, 4096);
        let alone = hash(&mut memory, params(4096, 1, 4), b"a");
        for other in [params(64, 3, 2), params(8192, 1, 1), params(4096, 1, 4), params(9, 1, 1)] {
            hash(&mut memory, other, b"b");
            assert_eq!(memory.held_kib(), held, "{engine:?}, {other}");
        }
        memory.wipe();
        assert_eq!(hash(&mut memory, params(4096, 1, 4), b"a"), alone, "what was there before has no effect");
        assert_eq!(memory.held_kib(), held);
    }
}

#[test]
fn memory_that_does_not_exist_is_an_error() {
    // With 1 the kernel promises any amount.
    if fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap().trim() == "1" {
        return;
    }
    let four_tib = Params::unlimited(u32::MAX, 1, 1);
    for engine in [FAST, REFERENCE] {
        assert_eq!(HashMemory::new(engine, four_tib).err(), Some(HashError::NoMemory), "{engine:?}");
        let mut memory = HashMemory::new(engine, params(64, 1, 1)).unwrap();
        let failed = memory.hash(four_tib, b"password", &[1; 16], &mut [0; 32]);
        assert_eq!(failed, Err(HashError::NoMemory));
        hash(&mut memory, params(64, 1, 1), b"goes on");
    }
}

#[test]
fn wiping_leaves_nothing_of_a_hash_in_the_memory_of_the_process() {
    let params = params(4096, 1, 4);
    for engine in [FAST, REFERENCE] {
        let traces = Traces::of(params, b"left behind");
        assert_eq!(traces.found(), 0, "nobody has hashed it yet, or the traces find themselves");
        let mut memory = HashMemory::new(engine, params).unwrap();
        hash(&mut memory, params, b"left behind");
        assert!(memory.is_used());
        assert!(traces.found() >= Traces::COUNT, "{engine:?}");
        memory.wipe();
        assert!(!memory.is_used());
        assert_eq!(traces.found(), 0, "{engine:?}");
        hash(&mut memory, params, b"left behind");
        drop(memory);
        assert_eq!(traces.found(), 0, "{engine:?}, given back");
    }
}

/// What a hash leaves in some of its blocks, disguised so as not to be found here.
struct Traces(Vec<[u64; 8]>);

impl Traces {
    const COUNT: usize = 16;
    const DISGUISE: u64 = 0x5555_5555_5555_5555;
    /// Every block starts on such a boundary.
    const ALIGNMENT: usize = 64;

    fn of(params: Params, password: &[u8]) -> Self {
        let mut memory = HashMemory::new(REFERENCE, params).unwrap();
        hash(&mut memory, params, password);
        let Blocks::Reference(blocks) = &memory.blocks else { unreachable!() };
        let disguised = |block: &argon2::Block| std::array::from_fn(|word| block.as_ref()[word] ^ Self::DISGUISE);
        Self(blocks.iter().step_by(blocks.len() / Self::COUNT).map(disguised).collect())
    }

    /// How often they occur in mappings that are large enough for hash memory.
    fn found(&self) -> usize {
        let memory = File::open("/proc/self/mem").unwrap();
        let mut buffer = vec![0_u8; 64 << 10];
        let mut found = 0;
        for line in fs::read_to_string("/proc/self/maps").unwrap().lines().filter(|line| line.contains(" rw-p ")) {
            let (range, _) = line.split_once(' ').unwrap();
            let (from, to) = range.split_once('-').unwrap();
            let address = |text| u64::from_str_radix(text, 16).unwrap();
            let (mut at, to) = (address(from), address(to));
            if to - at < 4 << 20 {
                continue;
            }
            while at < to {
                // A mapping of another test may be gone by now.
                let Ok(read @ 1..) = memory.read_at(&mut buffer, at) else { break };
                found += buffer[..read].chunks_exact(Self::ALIGNMENT).filter(|chunk| self.has(chunk)).count();
                at += read as u64;
            }
            // Not to be found again in here.
            buffer.fill(0);
        }
        found
    }

    fn has(&self, chunk: &[u8]) -> bool {
        let mut words = chunk.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap()) ^ Self::DISGUISE);
        let words: [u64; 8] = std::array::from_fn(|_| words.next().unwrap());
        self.0.contains(&words)
    }
}
