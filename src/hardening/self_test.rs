//! Decides at every start which Argon2id engine hashes: the fast one, unless it differs from the reference on the known
//! answer of RFC 9106 or on random inputs. Takes milliseconds; keeps no result.

use std::panic::{AssertUnwindSafe, catch_unwind};

use argon2_rust::{Backend, Hasher};
use thiserror::Error;

use super::argon2id::{self, Engine};
use super::{Params, RandomError};
use crate::limits;

/// Why the fast engine is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Distrust {
    /// It would compute without vectors, slower than the reference.
    #[error("this CPU has none of the vector instructions that the fast engine is written for")]
    NoVectorInstructions,
    /// RFC 9106 section 5.3 has another tag.
    #[error("the fast engine fails the known answer of RFC 9106 section 5.3")]
    KnownAnswer,
    /// The engines disagree.
    #[error("the fast engine's hashes differ from the reference's")]
    Differs,
    /// An error, or a panic, where there should be a tag.
    #[error("the fast engine gave no hash in its self-test")]
    NoHash,
}

/// Nothing can be trusted to hash.
#[derive(Clone, Copy, Debug, Error)]
pub enum SelfTestError {
    /// The reference is wrong: not the program, which is tested with it, but the machine.
    #[error("Argon2id's reference fails the known answer of RFC 9106 section 5.3: this machine computes wrongly")]
    Reference,
    /// There are no random inputs.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// One hash to compute with both engines.
struct Case {
    params: Params,
    password: Vec<u8>,
    salt: Vec<u8>,
    secret: Vec<u8>,
    associated: Vec<u8>,
    tag_bytes: usize,
}

/// An engine as the test sees it: `None` is a failure.
type Hashes<'a> = &'a mut dyn FnMut(&Case) -> Option<Vec<u8>>;

/// The tag of [`known_case`], from RFC 9106 section 5.3.
const KNOWN_TAG: [u8; 32] = [
    0x0d, 0x64, 0x0d, 0xf5, 0x8d, 0x78, 0x76, 0x6c, 0x08, 0xc0, 0x37, 0xa3, 0x4a, 0x8b, 0x53, 0xc9, //
    0xd0, 0x1e, 0xf0, 0x45, 0x2d, 0x75, 0xb6, 0x5e, 0xb5, 0x25, 0x20, 0xe9, 0x6b, 0x01, 0xe6, 0x59,
];

/// Chooses the engine for a server that hashes at `params`.
///
/// Both are compared at these passes and lanes but with less memory: a comparison with 64 MiB would double the time
/// that a start takes, and what depends on the memory's size is the same from 2 MiB on.
///
/// # Errors
/// When not even the reference is right, or there is no randomness.
pub fn choose(params: Params) -> Result<Engine, SelfTestError> {
    let mut cases = vec![scaled_case(params)];
    for _ in 0..limits::ARGON2_SELF_TEST_ROUNDS {
        cases.push(random_case()?);
    }
    // One hasher for all: memory that a larger hash has used is part of what is tested.
    let mut hasher = None;
    let backend = argon2_rust::detected_backend();
    judge(backend, &cases, &mut |case| fast(&mut hasher, case), &mut reference)
}

fn judge(backend: Backend, cases: &[Case], fast: Hashes<'_>, reference: Hashes<'_>) -> Result<Engine, SelfTestError> {
    let known = known_case();
    if reference(&known).is_none_or(|tag| tag != KNOWN_TAG) {
        return Err(SelfTestError::Reference);
    }
    let distrust = || {
        if backend == Backend::Scalar {
            return Err(Distrust::NoVectorInstructions);
        }
        if fast(&known).ok_or(Distrust::NoHash)? != KNOWN_TAG {
            return Err(Distrust::KnownAnswer);
        }
        for case in cases {
            let tag = fast(case).ok_or(Distrust::NoHash)?;
            // The reference cannot fail where it has memory, and then nothing is known.
            if reference(case).is_some_and(|expected| expected != tag) {
                return Err(Distrust::Differs);
            }
        }
        Ok(())
    };
    // Unwind safe: whatever a panic leaves half changed is not used again.
    Ok(match catch_unwind(AssertUnwindSafe(distrust)) {
        Ok(Ok(())) => Engine::Fast { instructions: backend.name() },
        Ok(Err(reason)) => Engine::Reference { reason },
        Err(_panic) => Engine::Reference { reason: Distrust::NoHash },
    })
}

fn known_case() -> Case {
    Case {
        params: Params::stored(32, 3, 4).expect("RFC 9106 keeps to its own limits"),
        password: vec![1; 32],
        salt: vec![2; 16],
        secret: vec![3; 8],
        associated: vec![4; 12],
        tag_bytes: KNOWN_TAG.len(),
    }
}

/// The configured passes and lanes.
fn scaled_case(params: Params) -> Case {
    let affordable_kib = (limits::ARGON2_SELF_TEST_WORK_KIB / params.passes()).max(8 * params.lanes());
    let scaled = Params::stored(params.memory_kib().min(affordable_kib), params.passes(), params.lanes());
    Case {
        params: scaled.expect("memory between the least for these lanes and what was configured is allowed"),
        password: vec![5; 32],
        salt: vec![6; 16],
        secret: Vec::new(),
        associated: Vec::new(),
        tag_bytes: 32,
    }
}

/// Something small, in range: up to 132 KiB.
fn random_case() -> Result<Case, RandomError> {
    let mut random = [0; 256];
    getrandom::fill(&mut random)?;
    let (numbers, bytes) = random.split_at(8);
    let up_to = |index: usize, most: u8| u32::from(numbers[index] % (most + 1));
    let lanes = 1 + up_to(0, 3);
    let memory_kib = 8 * lanes + up_to(1, 100);
    let (password, salt) = bytes.split_at(128);
    Ok(Case {
        params: Params::stored(memory_kib, 1 + up_to(2, 2), lanes).expect("eight blocks a lane and more are allowed"),
        password: password[..up_to(3, 128) as usize].to_vec(),
        salt: salt[..8 + up_to(4, 40) as usize].to_vec(),
        secret: Vec::new(),
        associated: Vec::new(),
        tag_bytes: 16 + up_to(5, 48) as usize,
    })
}

fn fast(hasher: &mut Option<Hasher>, case: &Case) -> Option<Vec<u8>> {
    let argon2 = argon2id::fast(case.params, case.tag_bytes).ok()?;
    let hasher = hasher.get_or_insert_with(|| argon2.hasher());
    hasher.set_argon2(argon2);
    let mut tag = vec![0; case.tag_bytes];
    hasher.hash_into_with_ad(&case.password, &case.salt, &case.secret, &case.associated, &mut tag).ok()?;
    Some(tag)
}

fn reference(case: &Case) -> Option<Vec<u8>> {
    let mut builder = argon2::ParamsBuilder::new();
    builder.m_cost(case.params.memory_kib()).t_cost(case.params.passes()).p_cost(case.params.lanes());
    builder.data(argon2::AssociatedData::new(&case.associated).ok()?).output_len(case.tag_bytes);
    let (kind, version) = (argon2::Algorithm::Argon2id, argon2::Version::V0x13);
    let argon2 = argon2::Argon2::new_with_secret(&case.secret, kind, version, builder.build().ok()?).ok()?;
    let mut blocks = Vec::new();
    let count = case.params.memory_kib() as usize;
    blocks.try_reserve_exact(count).ok()?;
    blocks.resize(count, argon2::Block::new());
    let mut tag = vec![0; case.tag_bytes];
    argon2.hash_password_into_with_memory(&case.password, &case.salt, &mut tag, &mut blocks).ok()?;
    Some(tag)
}

#[cfg(test)]
mod tests {

    use super::*;

    fn judged(fast: Hashes<'_>) -> Engine {
        let cases = [random_case().unwrap(), scaled_case(Params::DEFAULT)];
        judge(Backend::Sse2, &cases, fast, &mut reference).unwrap()
    }

    fn distrusted(fast: Hashes<'_>) -> Distrust {
        match judged(fast) {
            Engine::Reference { reason } => reason,
            Engine::Fast { .. } => panic!("it should be distrusted"),
        }
    }

    #[test]
    fn both_engines_know_the_answer_of_rfc_9106() {
        assert_eq!(fast(&mut None, &known_case()).unwrap(), KNOWN_TAG);
        assert_eq!(reference(&known_case()).unwrap(), KNOWN_TAG);
    }

    #[test]
    fn this_machine_hashes_with_the_fast_engine() {
        for params in [Params::DEFAULT, Params::stored(512, 64, 64).unwrap(), Params::stored(8, 1, 1).unwrap()] {
            assert!(matches!(choose(params), Ok(Engine::Fast { .. })), "{params}");
        }
    }

    #[test]
    fn an_engine_that_differs_anywhere_is_not_used() {
        let wrong = |tag: &mut Vec<u8>| tag[15] ^= 1;
        assert_eq!(distrusted(&mut |_| Some(vec![0; 32])), Distrust::KnownAnswer);
        let mut hashes = 0;
        let mut last_is_wrong = |case: &Case| {
            hashes += 1;
            let mut tag = reference(case)?;
            if hashes == 3 {
                wrong(&mut tag);
            }
            Some(tag)
        };
        assert_eq!(distrusted(&mut last_is_wrong), Distrust::Differs);
        assert!(matches!(judged(&mut reference), Engine::Fast { .. }));
    }

    #[test]
    fn an_engine_that_fails_or_panics_is_not_used() {
        assert_eq!(distrusted(&mut |_| None), Distrust::NoHash);
        assert_eq!(distrusted(&mut |_| panic!("as the test wants it")), Distrust::NoHash);
    }

    #[test]
    fn a_cpu_without_vectors_uses_the_reference_and_says_why() {
        let engine = judge(Backend::Scalar, &[], &mut reference, &mut reference).unwrap();
        assert_eq!(engine, Engine::Reference { reason: Distrust::NoVectorInstructions });
        assert!(engine.to_string().starts_with("reference: this CPU has none"), "{engine}");
    }

    #[test]
    fn a_machine_that_computes_wrongly_does_not_hash_at_all() {
        let result = judge(Backend::Sse2, &[], &mut reference, &mut |_| Some(vec![7; 32]));
        assert!(matches!(result, Err(SelfTestError::Reference)));
    }
}
